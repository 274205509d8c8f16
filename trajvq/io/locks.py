"""Locks on folders and files, by ``fcntl``. A lock ends with the process that holds it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trajvq.errors import UserError


class LockedError(UserError):
    """Another process holds the lock."""


@contextmanager
def locked(
    folder: Path, name: str = ".lock", *, wait: bool = True, remedy: str = "choose a writable folder"
) -> Iterator[None]:
    """Create a folder and lock it, or one file in it, against other processes.

    Args:
        folder: The folder. Missing parents are created, too.
        name: Name of the lock file in it. Files with locks of their own need lock files of their own.
        wait: Wait while another process holds the lock; otherwise raise `LockedError`.
        remedy: What the user can do, as the end of the error message.

    Raises:
        LockedError: If another process holds the lock and ``wait`` is false.
        UserError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / name).open("w", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; {remedy}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"another process is writing to {folder}; wait for it or {remedy}") from None
        yield
