"""Cells are read as what they say, however they are stored."""

from pathlib import Path

import pyarrow as pa
import pytest

from tests.data.imports.tables import rows, write
from tests.data.imports.test_points import check, parquet_table, read
from trajvq.errors import DataError

TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.large_string())]


@pytest.mark.parametrize("kind", TEXTS, ids=str)
def test_text_of_any_type_is_text(tmp_path: Path, kind: pa.DataType, capsys: pytest.CaptureFixture[str]) -> None:
    """As pandas 3 and polars write it, and categories."""
    columns = {
        "clip": [f"a{row[0]}" for row in rows()],
        "frame": [f"2026-03-20T10:00:0{row[1]}" for row in rows()],
        "x": [str(row[2]).replace(".", ",") for row in rows()],
        "label": ["up" if row[0] == "1" else "down" for row in rows()],
    }
    texts = {name: pa.array(values, pa.string()).cast(kind) for name, values in columns.items()}
    recording = read(parquet_table(tmp_path / "t.parquet", **texts))
    check(recording)
    assert [track.label for track in recording.tracks] == ["down", "up", *["down"] * 4]
    assert "decimal commas" in capsys.readouterr().out


@pytest.mark.parametrize("zone", ["", "Z"])
@pytest.mark.parametrize("wrong", ["2026-02-30T10:00:00", "2026-13-01T10:00:00", "2026-03-20T25:00:00"])
def test_a_date_that_does_not_exist_is_a_row_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], zone: str, wrong: str
) -> None:
    source = write(tmp_path / "t.csv", line=f"{{0}},2026-03-20T10:00:0{{1}}.5{zone},{{2}},{{3}}")
    with source.open("a") as file:
        file.write(f"0,{wrong}{zone},1,1\n3,{wrong}{zone},1,1\n")
    with pytest.raises(DataError, match=rf"2 rows: row 49 has frame {wrong}{zone}, row 50 has frame .*--skip-bad"):
        read(source)
    check(read(source, skip_bad=True))
    assert "50 rows found, 48 taken; left out: 2 that cannot be used" in capsys.readouterr().out
