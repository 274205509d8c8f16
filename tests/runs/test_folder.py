"""Run folders: every new run has one of its own, and ``latest`` points to the newest that finished."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
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


TRAIN = """
import sys
from pathlib import Path
from trajvq.runs.folder import training
with training(Path(sys.argv[1])):
    print("training", flush=True)
    sys.stdin.read()
"""


def test_a_run_is_trained_by_one_process_at_a_time(fit: Run, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs.open_run(here / "runs/recon", "a")
    command = [sys.executable, "-c", TRAIN, str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"training\n"
        assert fit("--run=a", "--trainer.max_steps=1") == 2
        assert "trajvq: another process is training run runs/recon/a; wait for it or" in capsys.readouterr().err
        other.kill()
    assert fit("--run=a", "--trainer.max_steps=1") == 0


def test_runs_are_trained_on_file_systems_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", fail)
    with runs.training(runs.open_run(tmp_path, "a")):
        pass
