"""Cells are read as what they say, however they are stored."""

from pathlib import Path

import pyarrow as pa
import pytest

from tests.data.imports.tables import rows
from tests.data.imports.test_points import check, parquet_table, read

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
