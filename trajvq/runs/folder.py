"""Run folders ``runs/TASK/RUN``: create, name and complete them."""

import errno
import fcntl
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from trajvq.errors import UserError
from trajvq.io.files import write_text

COMPLETE = "complete.json"  # written last; a run without it can continue
LOCK = ".lock"  # held by the process that trains the run
LATEST = "latest"
PACKAGED = "default"  # tests of the weights that come with the package, in a folder that is no run
DEBUG = "debug"  # runs in a folder of this name never become `latest`


def open_run(root: Path, name: str) -> Path:
    """Create a run folder, or reopen that of an unfinished run.

    Args:
        root: Folder of the task's runs.
        name: Name of the run.

    Returns:
        The folder.

    Raises:
        UserError: If the run is already finished or the folder cannot be written.
    """
    run = root / name
    if name in (LATEST, "", ".", "..") or Path(name).name != name:
        raise UserError(f"--run {name!r} is not a valid name; choose a plain word")
    if name == PACKAGED:
        raise UserError(f"--run {name} is where the weights of the package are tested; choose another name")
    if (run / COMPLETE).exists():
        raise UserError(f"run {run} is finished; choose another --run, or test it with --ckpt_path {best(run)}")
    probe = run / f".writable.{os.getpid()}"
    try:
        (run / "checkpoints").mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(run, error) from None
    return run


@contextmanager
def training(run: Path) -> Iterator[None]:
    """Keep other processes from training a run, until this one has trained it or ends in any way.

    The lock is a POSIX one: it belongs to this process alone, so loader processes that outlive a killed training do not
    hold it. File systems without locks are used without.

    Args:
        run: The run folder.

    Raises:
        UserError: If another process trains the run, or the folder cannot be written.
    """
    try:
        lock = (run / LOCK).open("w")
    except OSError as error:
        raise _unwritable(run, error) from None
    with lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise UserError(f"another process is training run {run}; wait for it or choose another --run") from None
        yield


def new_name(root: Path) -> str:
    """Create a run folder named by date and time, with a number added if that name is taken, and return its name.

    No other process gets the same name, since only one can create a folder.

    Args:
        root: Folder of the task's runs.

    Raises:
        UserError: If the folder cannot be created.
    """
    now = datetime.now().strftime("%Y%m%d-%H%M%S")
    names = itertools.chain([now], (f"{now}-{k}" for k in itertools.count(2)))
    return next(name for name in names if _create(root / name))


def _create(run: Path) -> bool:
    """Create a run folder, and return whether this process did; False if the name is taken."""
    try:
        run.mkdir(parents=True)
    except FileExistsError:
        return False
    except OSError as error:
        raise _unwritable(run, error) from None
    return True


def _unwritable(run: Path, error: OSError) -> UserError:
    return UserError(f"cannot write the run folder {run}: {error.strerror}; set --run_root")


def best(run: Path) -> Path:
    """Return the path of a run's best checkpoint."""
    return run / "checkpoints" / "best.ckpt"


def finish(run: Path, steps: int) -> None:
    """Mark a run as complete. Point ``latest`` at it, unless it is a debug run or has no best checkpoint."""
    content = {"steps": steps, "finished": datetime.now().astimezone().isoformat(timespec="seconds")}
    write_text(run / COMPLETE, json.dumps(content))
    if run.parent.name == DEBUG or not best(run).exists():
        return
    link = run.parent / f".{LATEST}.{run.name}"  # another run may finish at the same time
    link.unlink(missing_ok=True)
    link.symlink_to(run.name, target_is_directory=True)
    link.replace(run.parent / LATEST)
