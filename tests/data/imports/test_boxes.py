"""The centers of boxes are the tracks, whether their table has a header or is one of MOTChallenge without."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.imports.tables import mot, rows, write
from tests.data.imports.test_points import check, read
from trajvq.errors import DataError


@pytest.mark.parametrize("sides", ["bb_left,bb_top,bb_width,bb_height", "Left,Top,Width,Height"])
def test_boxes_with_a_header_give_their_centers(tmp_path: Path, capsys: pytest.CaptureFixture[str], sides: str) -> None:
    header = f"frame,id,{sides},conf,x,y,z"
    recording = read(write(tmp_path / "t.csv", header, lambda c, f, x, y: f"{f},{c},{x - 4},{y - 8},8,16,1,-1,-1,-1"))
    check(recording)
    assert recording.y_down
    assert f"boxes: {sides.replace(',', ', ')}; x and y are their centers" in capsys.readouterr().out


def test_a_user_may_name_other_coordinates_than_the_centers(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "frame,id,left,top,width,height,x,y", "{1},{0},5,5,5,5,{2},{3}")
    check(read(source, columns={"x": "x", "y": "y"}))


def test_coordinates_beside_widths_and_heights_may_be_corners(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(read(write(tmp_path / "t.csv", "frame,id,x,y,w,h", "{1},{0},{2},{3},20,40")))
    assert "x and y may be corners of boxes" in capsys.readouterr().out


def test_tracks_that_all_stand_at_one_point_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="every track stands at -1, -1; name others with --columns x=NAME"):
        read(write(tmp_path / "t.csv", line="{0},{1},-1,-1"))


def test_boxes_in_no_track_are_left_out(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv")
    source.write_text(source.read_text() + "-1,0,9,9\n-1,1,9,9\n")
    with pytest.raises(DataError, match=r"2 rows: row 49 is in no clip \(-1\)"):
        read(source)
    check(read(source, skip_bad=True))


def test_labels_of_boxes_can_be_left_out(tmp_path: Path) -> None:
    assert {track.label for track in read(mot(tmp_path / "gt.txt", truth=True), columns={"label": ""}).tracks} == {None}


def test_numbers_as_a_header_are_no_box(tmp_path: Path) -> None:
    source = mot(tmp_path / "t.csv")
    expected = read(source).tracks
    source.write_text("0,1,2,3,4,5,6,7,8,9\n" + source.read_text())
    for track, other in zip(read(source).tracks, expected, strict=True):
        np.testing.assert_array_equal(track.position, other.position)


@pytest.mark.parametrize("header", ["", "frame,id,x,y\n", "# exported by a tracker\n"])
def test_six_columns_or_a_header_that_does_not_fit_are_no_boxes(tmp_path: Path, header: str) -> None:
    more = ",0.9" if header else ""
    source = write(tmp_path / "t.csv", header.strip(), "{1},{0},{2},{3},5,200" + more, rows())
    words = f"no header line that fits .above the rows is '{header.strip()}'." if header else "no header line;"
    with pytest.raises(DataError, match=f"{words}.*name its {7 if header else 6} columns"):
        read(source)
