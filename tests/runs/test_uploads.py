"""Adding a file never waits, the newest version wins, and uploads that fail are retried without harm to the run."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores import impatient, memory
from trajvq.io.remote import Digest, fetch_verified, names_below, upload_verified
from trajvq.io.retries import RemoteError
from trajvq.runs import uploads as module
from trajvq.runs.uploads import Uploads

__all__ = ["impatient", "memory"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    return tmp_path / "run"


@pytest.fixture
def uploads(run: Path, memory: str) -> Iterator[Uploads]:
    queue = Uploads(run, memory)
    yield queue
    queue.stop()


def save(run: Path, content: str, name: str = "checkpoints/last.ckpt") -> None:
    """Replace a file by renaming, as checkpoints are written."""
    (run / "new").write_text(content)
    (run / "new").replace(run / name)


def content(memory: str, name: str, tmp_path: Path) -> str:
    fetch_verified(f"{memory}/{name}", tmp_path / "back")
    return (tmp_path / "back").read_text()


class Gate:
    """Blocks every upload until it is opened, and records the uploads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered, self.opened = threading.Semaphore(0), threading.Event()
        self.uploaded: list[tuple[str, str]] = []
        monkeypatch.setattr(module, "upload_verified", self)

    def __call__(self, local: Path, url: str) -> Digest:
        self.entered.release()
        self.opened.wait()
        self.uploaded.append((url.rpartition("/")[2], local.read_text()))
        return upload_verified(local, url)


def test_while_one_version_goes_up_only_the_newest_waits(
    uploads: Uploads, run: Path, memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    save(run, "version 0")
    assert uploads.take("checkpoints/last.ckpt")
    gate.entered.acquire()
    for number in range(1, 6):
        assert not uploads.take("checkpoints/last.ckpt")  # nothing new
        save(run, f"version {number}")
        assert uploads.take("checkpoints/last.ckpt")  # returns although the store does not answer
    gate.opened.set()
    assert uploads.drain(30) == {}
    assert gate.uploaded == [("last.ckpt", "version 0"), ("last.ckpt", "version 5")]
    assert content(memory, "checkpoints/last.ckpt", tmp_path) == "version 5"
    assert content(memory, "checkpoints/last-1.ckpt", tmp_path) == "version 0"
    assert not list((run / ".mirror").glob("*.upload"))


def test_a_checkpoint_replaced_during_its_upload_is_uploaded_unchanged(
    uploads: Uploads, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    save(run, "first", "checkpoints/best.ckpt")
    uploads.take("checkpoints/best.ckpt")
    gate.entered.acquire()
    save(run, "second", "checkpoints/best.ckpt")
    gate.opened.set()
    assert uploads.drain(30) == {}
    assert gate.uploaded == [("best.ckpt", "first")]


def test_a_failed_upload_warns_once_and_is_retried_until_it_succeeds(
    uploads: Uploads, run: Path, memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    warnings: list[str] = []
    monkeypatch.setattr(module, "rank_zero_warn", warnings.append)
    tries: list[str] = []

    def failing(local: Path, url: str) -> Digest:
        tries.append(url)
        if len(tries) < 4:
            raise RemoteError("cannot upload: the store is closed")
        return upload_verified(local, url)

    monkeypatch.setattr(module, "upload_verified", failing)
    save(run, "whole")
    uploads.take("checkpoints/last.ckpt")
    assert uploads.drain(30) == {}
    assert len(tries) == 4
    assert len(warnings) == 1
    assert "checkpoints/last.ckpt is not at memory://bucket yet: cannot upload: the store is closed" in warnings[0]
    assert content(memory, "checkpoints/last.ckpt", tmp_path) == "whole"


def test_the_end_waits_no_longer_than_allowed_and_names_what_is_missing(
    uploads: Uploads, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    for name in ("checkpoints/last.ckpt", "metrics.csv"):
        save(run, "x", name)
        uploads.take(name)
    gate.entered.acquire()
    assert uploads.drain(0.01) == {
        name: "not uploaded within 0.01 s" for name in ("checkpoints/last.ckpt", "metrics.csv")
    }
    uploads.stop()
    gate.opened.set()


def test_a_file_system_without_hard_links_is_enough(
    uploads: Uploads, run: Path, memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refused)
    save(run, "copied")
    uploads.take("checkpoints/last.ckpt")
    assert uploads.drain(30) == {}
    assert content(memory, "checkpoints/last.ckpt", tmp_path) == "copied"


def test_leftovers_of_a_killed_run_are_removed(run: Path, memory: str) -> None:
    (run / ".mirror").mkdir()
    (run / ".mirror/7.upload").write_text("old")
    queue = Uploads(run, memory)
    assert not list((run / ".mirror").glob("*.upload"))
    assert queue.drain(1) == {}
    queue.stop()
    assert names_below(memory) == []
