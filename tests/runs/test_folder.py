"""Run folders: their names."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from trajvq.runs import folder as runs


def test_runs_that_begin_in_the_same_second_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(datetime):  # a clock that stands still
        @classmethod
        def now(cls, *_: Any) -> "Stopped":
            return cls(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr(runs, "datetime", Stopped)
    names = []
    for _ in range(3):
        names.append(runs.new_name(tmp_path))
        runs.open_run(tmp_path, names[-1])
    assert names == ["20260102-030405", "20260102-030405-2", "20260102-030405-3"]
