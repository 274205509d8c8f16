"""A least score leaves out the points below it in tables of every layout, or says that there are no scores."""

from pathlib import Path
from typing import Any

import h5py
import pytest

from tests.data.imports.tables import deeplabcut, mot, rows, sleap, trackmate, write
from tests.data.imports.test_sleap import analysis
from trajvq.cli import main
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.points import Recording, read_tracks
from trajvq.errors import DataError


def read(path: Path, **options: Any) -> Recording:
    return read_tracks(Ledger(path), **options)


def scored(path: Path, column: str = "likelihood", low: str = "0.1", high: str = "0.99") -> Path:
    """A table with one point a row, where the third of every track is unsure and far off."""

    def line(c: str, f: int, x: float, y: float) -> str:
        return f"{c};{f};{x + 500 * (f == 3)};{y};{low if f == 3 else high}"

    return write(path, f"clip;frame;x;y;{column}", line)


@pytest.mark.parametrize("column", ["likelihood", "Score", "confidence", "conf"])
def test_points_of_low_score_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str
) -> None:
    source = scored(tmp_path / "t.csv", column)
    tracks = read(source, min_score=0.6).tracks
    assert [len(track.time) for track in tracks] == [7] * 6
    assert max(track.position.max() for track in tracks) < 500
    assert "48 rows found, 42 taken; left out: 6 with a score below 0.6" in capsys.readouterr().out
    assert [len(track.time) for track in read(source).tracks] == [8] * 6


def test_scores_may_have_decimal_commas_or_be_empty(tmp_path: Path) -> None:
    source = scored(tmp_path / "t.csv", low="0,1", high="0,99")
    assert [len(track.time) for track in read(source, min_score=0.6).tracks] == [7] * 6
    source = scored(tmp_path / "t.csv", high="")
    assert [len(track.time) for track in read(source, min_score=0.6).tracks] == [7] * 6


def test_boxes_of_low_confidence_are_left_out(tmp_path: Path) -> None:
    source = mot(tmp_path / "t.txt")
    lines = source.read_text().splitlines()
    source.write_text("\n".join(line.replace("0.9", "0.2") if line[:2] == "3," else line for line in lines))
    assert [len(track.time) for track in read(source, min_score=0.5).tracks] == [7] * 6


def without_scores(path: Path) -> Path:
    with h5py.File(analysis(path), "a") as file:
        del file["point_scores"]
    return path


@pytest.mark.parametrize(
    "source",
    [
        lambda folder: write(folder / "t.csv"),
        lambda folder: trackmate(folder / "t.csv"),
        lambda folder: mot(folder / "gt.txt", truth=True),
        lambda folder: write(folder / "t.csv", "frame,a_x,a_y", "{1},{2},{3}", rows(1)),
        lambda folder: without_scores(folder / "t.h5"),
    ],
    ids=["one point a row", "TrackMate", "MOT's truth", "several points a row", "SLEAP"],
)
def test_a_least_score_without_scores_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: Any
) -> None:
    path = source(tmp_path)
    assert main(["data", "import-tracks", str(path), "--out", str(tmp_path / "out"), "--min-score=0.5"]) == 2
    printed = capsys.readouterr().err
    assert "has no scores (" in printed
    assert printed.endswith("so --min-score does not apply; leave it out\n")
    assert printed.count("\n") == 1


def test_deeplabcut_without_scores_has_no_default(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    lines = ["scorer,n,n", "bodyparts,nose,nose", "coords,x,y", *(f"{f},{f},{2 * f}" for f in range(8))]
    source.write_text("\n".join(lines))
    assert [len(track.time) for track in read(source).tracks] == [8]
    with pytest.raises(DataError, match="has no scores"):
        read(source, min_score=0.6)


def test_a_score_that_is_no_number_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has the score sure, which is no number"):
        read(scored(tmp_path / "t.csv", high="sure"), min_score=0.6)


@pytest.mark.parametrize("source", [scored, deeplabcut, sleap, mot])
def test_no_point_of_enough_score_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], source: Any) -> None:
    with pytest.raises(DataError, match="has no track of two points or more"):
        read(source(tmp_path / "t.csv"), min_score=2.0)
    assert "with a score below 2.0" in capsys.readouterr().out
