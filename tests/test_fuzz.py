"""Damaged tables, as experiments/fuzz makes them, are imported or refused in one line, and leave nothing behind."""

from pathlib import Path

import pytest

from tests.scripts import load
from trajvq.cli import main
from trajvq.data.storage.manifest import read_manifest


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_table_never_ends_in_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    tables = load("fuzz/tables.py", monkeypatch)
    ending, content = tables.damaged(seed)
    source = tmp_path / f"t.{ending}"
    source.write_bytes(content)
    code = main([*tables.COMMAND, str(source), "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().err
    if code == 0:
        assert sum(read_manifest(tmp_path / "out").clips(s) for s in read_manifest(tmp_path / "out").splits) > 0
    else:
        assert code == 2
        assert printed.startswith("trajvq: ")
        assert printed.count("\n") == 1, printed
        assert [path.name for path in tmp_path.iterdir()] == [source.name]
