"""The suggested columns are plausible ones, and what cannot be a choice is refused."""

from pathlib import Path

import pytest

from tests.data.imports.tables import write
from tests.data.imports.test_points import read
from trajvq.errors import DataError

SUGGESTED = {
    "event-id,timestamp,location-long,location-lat,individual-taxon-canonical-name,individual-local-identifier": (
        "did you mean --columns clip=individual-local-identifier,x=location-long,y=location-lat"
    ),
    "gaze_timestamp,world_index,confidence,norm_pos_x,norm_pos_y": (
        "clip=NAME,frame=gaze_timestamp,x=norm_pos_x,y=norm_pos_y"
    ),
    "TRACK_INDEX,TRACK_ID,TRACK_DURATION,TRACK_X_LOCATION,TRACK_Y_LOCATION": (
        "frame=NAME,x=TRACK_X_LOCATION,y=TRACK_Y_LOCATION"
    ),
    "frame,x,y,tracking_score,track_score": "no column 'clip', .*; name it with",
}


@pytest.mark.parametrize("header", SUGGESTED)
def test_suggestions_are_whole_words_of_names(tmp_path: Path, header: str) -> None:
    with pytest.raises(DataError, match=SUGGESTED[header]):
        read(write(tmp_path / "t.csv", header, ",".join(["{1}"] * (header.count(",") + 1))))


@pytest.mark.parametrize("role", ["frame", "x", "y"])
def test_a_needed_role_cannot_be_empty(tmp_path: Path, role: str) -> None:
    with pytest.raises(DataError, match=f"--columns {role}= names no column; only clip, z, label, animal"):
        read(write(tmp_path / "t.csv"), columns={role: ""})


def test_a_suggestion_leaves_out_what_the_user_has_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'frame', but a, b, x, y; .* --columns frame=NAME$"):
        read(write(tmp_path / "t.csv", "a,b,x,y"), columns={"clip": ""})


def test_a_coordinate_is_one_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'x\+y'"):
        read(write(tmp_path / "t.csv"), columns={"x": "x+y"})
