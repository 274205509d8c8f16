"""Locks on folders, by ``fcntl``: they end with the process that holds them."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trajvq.errors import UserError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder and hold it for this process alone; others wait. The lock ends with the process.

    Raises:
        UserError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; for local copies set TRAJVQ_CACHE") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
