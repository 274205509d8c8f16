"""Analysis files of SLEAP give a track for each point of each animal."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from trajvq.cli import main
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.points import read_tracks
from trajvq.data.storage.manifest import read_manifest
from trajvq.errors import DataError


def analysis(path: Path) -> Path:
    """Two animals with three points in 40 frames; the last point of the second one is never seen."""
    frame = np.arange(40.0)
    tracks = np.full((2, 2, 3, 40), np.nan)
    for animal, node in np.ndindex(2, 3):
        if (animal, node) != (1, 2):
            tracks[animal, :, node] = [100 + 3 * frame + 9 * node, 50 + 5 * animal * np.sin(frame / 4 + node)]
    with h5py.File(path, "w") as file:
        file["tracks"], file["node_names"] = tracks, [b"head", b"thorax", b"tail"]
        file["track_names"] = [b"fly 1", b"fly 2"]
        file["point_scores"] = np.where(np.arange(40) < 30, 0.9, 0.1) * np.ones((2, 3, 40))
    return path


def test_every_point_of_every_animal_is_a_track(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = analysis(tmp_path / "a.h5")
    recording = read_tracks(Ledger(source))
    names = [track.name for track in recording.tracks]
    assert names == ["fly 1/head", "fly 1/tail", "fly 1/thorax", "fly 2/head", "fly 2/thorax"]
    assert recording.tracks[2].position[4].tolist() == [121, 50]
    assert recording.y_down
    assert "240 points found, 200 taken; left out: 40 not seen" in capsys.readouterr().out
    assert len(read_tracks(Ledger(source), min_score=0.5).tracks[0].time) == 30


@pytest.mark.parametrize("order", [(3, 0, 2, 1), (2, 1, 3, 0)])
def test_axes_of_any_order_are_told_by_their_names(tmp_path: Path, order: tuple[int, ...]) -> None:
    """As sleap-io writes them, with the preset standard or its own order."""
    source = analysis(tmp_path / "a.h5")
    expected = read_tracks(Ledger(source), min_score=0.5).tracks
    with h5py.File(source, "a") as file:
        tracks, scores = file["tracks"][:].transpose(order), file["point_scores"][:].transpose(2, 0, 1)
        del file["tracks"], file["point_scores"]
        file["tracks"], file["point_scores"] = tracks, scores
        file["tracks"].attrs["dims"] = json.dumps([("track", "xy", "node", "frame")[axis] for axis in order])
        file["point_scores"].attrs["dims"] = json.dumps(["frame", "track", "node"])
    for track, other in zip(read_tracks(Ledger(source), min_score=0.5).tracks, expected, strict=True):
        assert (track.name, track.animal) == (other.name, other.animal)
        np.testing.assert_array_equal(track.position, other.position)


def test_columns_do_not_apply(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--columns does not apply; leave it out"):
        read_tracks(Ledger(analysis(tmp_path / "a.h5")), {"clip": "track"})


def test_an_analysis_file_becomes_a_dataset(tmp_path: Path) -> None:
    source = analysis(tmp_path / "a.h5")
    assert main(["data", "import-tracks", str(source), "--out", str(tmp_path / "out"), "--points=8"]) == 0
    manifest = read_manifest(tmp_path / "out")
    assert {split: manifest.clips(split) for split in manifest.splits} == {"train": 5, "val": 5, "test": 5}


@pytest.mark.parametrize("shape", [(2, 3), (2, 2, 5, 40), (2, 7, 3, 40), (40, 2, 3, 2), (0, 2, 3, 40)])
def test_other_shapes_are_an_error(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["tracks"], file["node_names"] = np.zeros(shape), [b"a", b"b", b"c"]
        file["track_names"] = [b"d", b"e"][: shape[0]]
    with pytest.raises(DataError, match="shape"):
        read_tracks(Ledger(tmp_path / "a.h5"))
