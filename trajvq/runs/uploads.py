"""Uploads: one background thread that brings the newest version of each file of a run to its mirror."""

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

AGAIN = 20.0  # seconds until a file that failed is tried again

Version = tuple[int, int, int]


@dataclass
class Waiting:
    """A version of a file on its way up.

    Attributes:
        snapshot: Its content, which nobody changes.
        ready: When it may be tried, by the monotonic clock.
    """

    snapshot: Path
    ready: float = 0.0


class Uploads:
    """Takes versions of files and uploads them, verified, in a thread of its own.

    `take` costs a hard link and never waits for the network. Of a file that changes faster than it can be uploaded
    only the newest version goes up. What fails is warned of once a file and tried again until `stop`.

    Args:
        run: The run folder.
        place: URL of its mirror.
        seen: The versions that were handed over before; is kept up to date.
    """

    def __init__(self, run: Path, place: str, seen: dict[str, Version] | None = None) -> None:
        self.run, self.place = run, place
        self._folder = run / SNAPSHOTS
        self._seen = {} if seen is None else seen
        self._waiting: dict[str, Waiting] = {}
        self._busy: str | None = None
        self._failed: dict[str, str] = {}
        self._last_is_whole = False  # the mirror's last checkpoint was read back by this process
        self._count, self._closing, self._over = 0, False, False
        self._changed = threading.Condition()
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob("*.upload"):  # of a run that was killed
            left.unlink()
        self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self._thread.start()

    def take(self, name: str) -> bool:
        """Hand over a file if it has changed since it was last handed over; tell whether it had.

        Checkpoints are replaced by renaming, so a hard link is a stable copy of them; the other files are small.
        """
        path = self.run / name
        try:
            found = path.stat()
            version = (found.st_ino, found.st_mtime_ns, found.st_size)
            if self._seen.get(name) == version:
                return False
            self._count += 1
            snapshot = self._folder / f"{self._count}.upload"
            if name.endswith(".ckpt"):
                _link(path, snapshot)
            else:
                shutil.copyfile(path, snapshot)
        except FileNotFoundError:
            return False  # it was replaced or removed meanwhile
        except OSError as error:
            self._warn(name, reason(error))
            return False
        self._seen[name] = version
        with self._changed:
            before = self._waiting.pop(name, None)
            self._waiting[name] = Waiting(snapshot)
            self._changed.notify_all()
        if before:
            before.snapshot.unlink(missing_ok=True)
        return True

    def drain(self, seconds: float) -> dict[str, str]:
        """Wait until everything is uploaded, at most so long; return the reasons by file where it is not."""
        end = time.monotonic() + seconds
        with self._changed:
            for waiting in self._waiting.values():
                waiting.ready = 0.0
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting and not self._busy, end - time.monotonic())
            self._closing = False
            names = [*([self._busy] if self._busy else []), *self._waiting]
            return {name: self._failed.get(name, f"not done within {seconds:g} s") for name in names}

    def stop(self) -> None:
        """End the thread when it is done with the file at hand; nothing further is uploaded."""
        with self._changed:
            for waiting in self._waiting.values():
                waiting.snapshot.unlink(missing_ok=True)
            self._waiting.clear()
            self._over = True
            self._changed.notify_all()

    def _next(self) -> tuple[str, Waiting] | None:
        """Wait for a file that may be tried; None when it is over."""
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
        while (item := self._next()) is not None:
            name, waiting = item
            again = False
            try:
                self._upload(name, waiting.snapshot)
                self._failed.pop(name, None)
            except Exception as error:  # whatever a store raises, the run goes on
                again = True
                self._warn(name, str(error) if isinstance(error, UserError) else reason(error))
            with self._changed:
                self._busy = None
                if again and name not in self._waiting and not self._over:
                    waiting.ready = time.monotonic() + min(AGAIN, 1.0 if self._closing else AGAIN)
                    self._waiting[name] = waiting
                else:
                    waiting.snapshot.unlink(missing_ok=True)
                self._changed.notify_all()

    def _upload(self, name: str, snapshot: Path) -> None:
        if name == LAST:
            if self._last_is_whole:
                copy_within(f"{self.place}/{LAST}", f"{self.place}/{BEFORE}")
            self._last_is_whole = False
        upload_verified(snapshot, f"{self.place}/{name}")
        if name == LAST:
            self._last_is_whole = True

    def _warn(self, name: str, why: str) -> None:
        known = name in self._failed
        self._failed[name] = why
        if not known:
            rank_zero_warn(f"mirror: {name} is not at {self.place} yet: {why}; it is tried again")


def _urgency(name: str) -> tuple[int, str]:
    """The checkpoint that a run goes on from before the rest, and what it needs to go on before it."""
    order = ("config.yaml", "metrics.csv", BEST, LAST)
    return (order.index(name) if name in order else len(order)), name


def _link(path: Path, snapshot: Path) -> None:
    try:
        os.link(path, snapshot)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(path, snapshot)
