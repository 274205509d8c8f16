"""Run folders: every new run has one of its own, and ``latest`` points to the newest that finished."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from trajvq.errors import UserError
from trajvq.runs import folder as runs


class Stopped(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, *_: Any) -> "Stopped":
        return cls(2026, 1, 2, 3, 4, 5)


def test_runs_that_begin_in_the_same_second_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "datetime", Stopped)
    names = [runs.new_name(tmp_path) for _ in range(3)]
    assert names == ["20260102-030405", "20260102-030405-2", "20260102-030405-3"]
    assert runs.open_run(tmp_path, names[1]) == tmp_path / names[1]


def test_runs_that_begin_together_share_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "datetime", Stopped)
    count = 16
    barrier = threading.Barrier(count)

    def begin(_: int) -> Path:
        barrier.wait()
        return runs.open_run(tmp_path, runs.new_name(tmp_path))

    with ThreadPoolExecutor(count) as threads:
        assert len(set(threads.map(begin, range(count)))) == count


def test_a_run_folder_that_cannot_be_created_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    for root in (tmp_path / "runs", tmp_path / "runs" / "recon"):
        with pytest.raises(UserError, match="set --run_root"):
            runs.new_name(root)


def test_latest_points_to_the_run_that_finished_last(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run = runs.open_run(tmp_path, name)
        runs.best(run).touch()
        runs.finish(run, steps=1)
    assert (tmp_path / "latest").resolve() == tmp_path / "b"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "latest"]
    with pytest.raises(UserError, match="is finished"):
        runs.open_run(tmp_path, "a")
