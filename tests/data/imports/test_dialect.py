"""The header of a table is found, however it is written."""

from pathlib import Path

import pytest

from tests.data.imports.tables import rows, write
from tests.data.imports.test_points import check, read
from trajvq.errors import DataError

HEADERS = {  # header and rows
    "a separator more than the rows": ("frame,clip,x,y,mass,size,", "{1},{0},{2},{3},200,3.1"),
    "a comment with spaces, as of savetxt": ("# frame clip x y radius mass", "{1},{0},{2},{3},5,200"),
    "spaces above tabs": ("frame clip x y", "{1}\t{0}\t{2}\t{3}"),
    "commas above spaces": ("# frame, clip, x, y", "{1} {0} {2} {3}"),
    "spaces in names": ("clip, frame, x, y mm", "row,{0},{1},{2},{3}"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_may_be_written_otherwise_than_the_rows(tmp_path: Path, case: str) -> None:
    check(read(write(tmp_path / "t.csv", *HEADERS[case]), columns={"y": "5"} if "names" in case else {}))


def test_a_header_that_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="no header line that fits .above the rows is 'clip,frame'.; name its 4 columns"
    ):
        read(write(tmp_path / "t.csv", "clip,frame"))


def test_numbers_from_0_are_a_header(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", ",0,1,2,3", "7,{0},{1},{2},{3}")
    check(read(source, columns={"clip": "0", "frame": "1", "x": "2", "y": "3"}))


def test_lines_of_any_length_tell_the_dialect(tmp_path: Path) -> None:
    more = ";".join(["a" * 5_000] * 30)  # which is more than the csv module takes for one cell
    check(read(write(tmp_path / "t.csv", f"clip;frame;x;y;{more}", f"{{0}};{{1}};{{2}};{{3}};{more}")))


def test_a_long_line_without_columns_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no columns are separated"):
        read(write(tmp_path / "t.csv", "a" * 200_000, "b", rows()))
