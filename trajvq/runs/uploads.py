"""Uploads: one background thread that uploads the newest version of each file of a run to its mirror."""

import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_warn

from trajvq.errors import UserError
from trajvq.io.remote import copy_within, upload_verified
from trajvq.io.urls import reason
from trajvq.runs.mirror import BEFORE, BEST, LAST, SNAPSHOTS

RETRY_SECONDS = 20.0  # until a failed upload is tried again

Version = tuple[int, int, int]


@dataclass
class Waiting:
    """A version of a file that waits for its upload.

    Attributes:
        snapshot: Copy of its content, which nothing changes.
        ready: Time from which it may be uploaded, by the monotonic clock.
    """

    snapshot: Path
    ready: float = 0.0


class Uploads:
    """Queue versions of files and upload them, verified, in a thread.

    `take` costs a hard link and never waits for the network. If a file changes faster than it can be uploaded, only
    its newest version is uploaded. A failed upload is repeated until `stop`, with one warning per file.

    Args:
        run: The run folder.
        url: URL of its mirror.
        versions: The versions that were queued before, by file; updated in place.
    """

    def __init__(self, run: Path, url: str, versions: dict[str, Version] | None = None) -> None:
        self.run, self.url = run, url
        self._folder = run / SNAPSHOTS
        self._versions = {} if versions is None else versions
        self._waiting: dict[str, Waiting] = {}
        self._busy: str | None = None
        self._failed: dict[str, str] = {}
        self._last_is_verified = False  # this process has read back the mirror's last checkpoint
        self._count, self._closing, self._over = 0, False, False
        self._changed = threading.Condition()
        self._folder.mkdir(parents=True, exist_ok=True)
        for stale in self._folder.glob("*.upload"):  # of a run that was killed
            stale.unlink()
        self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self._thread.start()

    def take(self, name: str) -> bool:
        """Queue a file if it has changed since it was last queued, and return whether it had.

        Checkpoints are replaced by renaming, so a hard link is a stable copy of them. The other files are small.
        """
        path = self.run / name
        try:
            status = path.stat()
            version = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._versions.get(name) == version:
                return False
            self._count += 1
            snapshot = self._folder / f"{self._count}.upload"
            if name.endswith(".ckpt"):
                _link(path, snapshot)
            else:
                shutil.copyfile(path, snapshot)
        except FileNotFoundError:
            return False  # it was replaced or removed in the meantime
        except OSError as error:
            self._warn(name, reason(error))
            return False
        self._versions[name] = version
        with self._changed:
            before = self._waiting.pop(name, None)
            self._waiting[name] = Waiting(snapshot)
            self._changed.notify_all()
        if before:
            before.snapshot.unlink(missing_ok=True)
        return True

    def drain(self, seconds: float) -> dict[str, str]:
        """Wait until everything is uploaded, for at most some seconds. Return the files that are not, with reasons."""
        end = time.monotonic() + seconds
        with self._changed:
            for waiting in self._waiting.values():
                waiting.ready = 0.0
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting and not self._busy, end - time.monotonic())
            self._closing = False
            names = [*([self._busy] if self._busy else []), *self._waiting]
            return {name: self._failed.get(name, f"not uploaded within {seconds:g} s") for name in names}

    def stop(self) -> None:
        """End the thread after the file that it is uploading now, and drop the others."""
        with self._changed:
            for waiting in self._waiting.values():
                waiting.snapshot.unlink(missing_ok=True)
            self._waiting.clear()
            self._over = True
            self._changed.notify_all()

    def _next(self) -> tuple[str, Waiting] | None:
        """Wait for a file that may be uploaded. Return None after `stop`."""
        with self._changed:
            while not self._over:
                now = time.monotonic()
                ready = [name for name, waiting in self._waiting.items() if waiting.ready <= now]
                if ready:
                    self._busy = min(ready, key=_urgency)
                    return self._busy, self._waiting.pop(self._busy)
                times = [waiting.ready - now for waiting in self._waiting.values()]
                self._changed.wait(min(times) if times else None)
            return None

    def _work(self) -> None:
        while (queued := self._next()) is not None:
            name, waiting = queued
            failed = False
            try:
                self._upload(name, waiting.snapshot)
                self._failed.pop(name, None)
            except Exception as error:  # whatever a store raises, the run continues
                failed = True
                self._warn(name, str(error) if isinstance(error, UserError) else reason(error))
            with self._changed:
                self._busy = None
                if failed and name not in self._waiting and not self._over:
                    waiting.ready = time.monotonic() + min(RETRY_SECONDS, 1.0 if self._closing else RETRY_SECONDS)
                    self._waiting[name] = waiting
                else:
                    waiting.snapshot.unlink(missing_ok=True)
                self._changed.notify_all()

    def _upload(self, name: str, snapshot: Path) -> None:
        if name == LAST:
            if self._last_is_verified:
                copy_within(f"{self.url}/{LAST}", f"{self.url}/{BEFORE}")
            self._last_is_verified = False
        upload_verified(snapshot, f"{self.url}/{name}")
        if name == LAST:
            self._last_is_verified = True

    def _warn(self, name: str, cause: str) -> None:
        warned = name in self._failed
        self._failed[name] = cause
        if not warned:
            rank_zero_warn(f"mirror: {name} is not at {self.url} yet: {cause}; trying again")


def _urgency(name: str) -> tuple[int, str]:
    """Return the sort key of a file: what a run needs to continue comes first, the last checkpoint after it."""
    order = ("config.yaml", "metrics.csv", BEST, LAST)
    return (order.index(name) if name in order else len(order)), name


def _link(path: Path, snapshot: Path) -> None:
    try:
        os.link(path, snapshot)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(path, snapshot)
