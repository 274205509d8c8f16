"""The mirror of a run: which files it has, where they lie, and how a run goes on from there on a fresh machine."""

import re
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from trajvq.errors import UserError
from trajvq.io.checkpoint import read_checkpoint
from trajvq.io.locks import locked
from trajvq.io.remote import CorruptError, RemoteError, digest_of, fetch_verified, names_below, read_sidecar
from trajvq.io.urls import check_url
from trajvq.runs import checkpoints
from trajvq.runs.folder import COMPLETE

LAST, BEFORE, BEST = (f"checkpoints/{name}" for name in (checkpoints.LAST, checkpoints.BEFORE, "best.ckpt"))
SNAPSHOTS = ".mirror"  # folder in the run for the lock, and for files on their way up
NAMES = re.compile(
    r"checkpoints/[A-Za-z0-9_][\w.=+-]*\.ckpt|config\.yaml|metrics\.csv|provenance\.json|wandb\.id|complete\.json"
    r"|scoreboards/\w+\.(json|npz)"
)

say = rank_zero_only(print)


def run_url(url: str, run: Path) -> str:
    """Return where the mirror at ``url`` keeps a run folder ``.../TASK/RUN``."""
    run = run.resolve()
    return check_url(f"{check_url(url)}/{run.parent.name}/{run.name}")


def run_of(checkpoint: str) -> str:
    """Return the name of the run of a checkpoint URL ``.../RUN/checkpoints/NAME.ckpt``, else the checkpoint's own."""
    parts = check_url(checkpoint).split("/")
    return parts[-3] if len(parts) > 5 and parts[-2] == "checkpoints" else Path(parts[-1]).stem


def mirrored(run: Path) -> list[str]:
    """Return the names, relative to the run folder, of the files in it that a mirror holds.

    Not ``last-1.ckpt``: the mirror keeps a checkpoint before its last of its own, without a second upload.
    """
    found = [*run.glob("checkpoints/*.ckpt"), *run.glob("scoreboards/*.*"), *run.glob("*.*")]
    names = [str(path.relative_to(run)) for path in found if path.is_file()]
    return sorted(name for name in names if NAMES.fullmatch(name) and name != BEFORE)


def fetch_run(url: str, run: Path, finished: bool = False) -> None:
    """Bring a run folder up to its mirror, checked file by file; the newer of the two checkpoints wins.

    Without a mirrored checkpoint nothing happens. If the mirror's last checkpoint is corrupt, the one before it is
    taken, and that is said. Processes of one machine that start together wait for the first.

    Args:
        url: The mirror, without task and run.
        run: The run folder.
        finished: Take a finished run too, to test it.

    Raises:
        UserError: If the run is finished, or the mirror cannot be read and there is no local checkpoint.
    """
    place, last = run_url(url, run), run / LAST
    with locked(run / SNAPSHOTS):
        try:
            held = [name for name in names_below(place) if NAMES.fullmatch(name)]
            if COMPLETE in held and not finished:
                raise UserError(
                    f"run {place} is finished; choose another --run, or test it with --ckpt_path {place}/{BEST}"
                )
            sources = [name for name in (LAST, BEFORE) if name in held]
            here = _steps(last)
            if here is not None and sources and read_sidecar(f"{place}/{LAST}") == [digest_of(last)]:
                return  # the mirror has it, and nothing newer
            there = _fetch_last(place, sources, run)
        except RemoteError as error:
            if not last.exists():
                raise
            say(f"{error}; going on from the local {last}")
            return
        if there is None:
            return
        fresh = run / "checkpoints" / ".fetched.ckpt"
        if here is not None and here >= there:
            fresh.unlink()
            if here > there:
                say(f"{last} is at step {here}, newer than step {there} of {place}: going on from the local one")
            return
        for name in held:
            if name not in (LAST, BEFORE):
                try:
                    fetch_verified(f"{place}/{name}", run / name)
                except CorruptError as error:
                    say(f"{error}; it is left out")
        fresh.replace(last)
        say(f"fetched {place}, step {there}" + (f", newer than step {here} of {run}" if here is not None else ""))


def _fetch_last(place: str, sources: list[str], run: Path) -> int | None:
    """Fetch the newest whole checkpoint to ``.fetched.ckpt``; return its step, or None if there is none to fetch."""
    fresh = run / "checkpoints" / ".fetched.ckpt"
    for number, name in enumerate(sources):
        try:
            fetch_verified(f"{place}/{name}", fresh)
            return int(read_checkpoint(fresh)["global_step"])
        except CorruptError as error:
            if number == len(sources) - 1:
                raise
            say(f"{error}; taking {place}/{sources[number + 1]}, the one before it")
    return None


def _steps(path: Path) -> int | None:
    """Return the step of a local checkpoint; None if there is none or it cannot be read."""
    try:
        return int(read_checkpoint(path)["global_step"])
    except UserError as error:
        if path.exists():
            say(f"{error}; looking at the mirror")
        return None
