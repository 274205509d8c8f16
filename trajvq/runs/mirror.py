"""The remote mirror of a run: its files, their URLs, and how a fresh machine continues the run from it."""

import re
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from trajvq.errors import UserError
from trajvq.io.checkpoint import read_checkpoint
from trajvq.io.locks import locked
from trajvq.io.remote import digest_of, fetch_verified, names_below, read_sidecar
from trajvq.io.retries import CorruptError, RemoteError
from trajvq.io.urls import check_url
from trajvq.runs import checkpoints
from trajvq.runs.folder import COMPLETE

LAST, BEFORE, BEST = (f"checkpoints/{name}" for name in (checkpoints.LAST, checkpoints.BEFORE, "best.ckpt"))
SNAPSHOTS = ".mirror"  # folder in the run folder for the lock and for files that wait for their upload
NAMES = re.compile(
    r"checkpoints/[A-Za-z0-9_][\w.=+-]*\.ckpt|config\.yaml|metrics\.csv|provenance\.json|wandb\.id|complete\.json"
    r"|scoreboards/(?:\w[\w.=+-]*/)?\w+\.(json|npz)"  # as `board_folder` names them
)

say = rank_zero_only(print)


def run_url(url: str, run: Path) -> str:
    """Return the URL of a run folder ``.../TASK/RUN`` in the mirror at ``url``."""
    run = run.resolve()
    return check_url(f"{check_url(url)}/{run.parent.name}/{run.name}")


def run_of(checkpoint: str) -> str:
    """Return the run of a checkpoint URL ``.../RUN/checkpoints/NAME.ckpt``, or NAME for any other URL."""
    parts = check_url(checkpoint).split("/")
    return parts[-3] if len(parts) > 5 and parts[-2] == "checkpoints" else Path(parts[-1]).stem


def mirrored(run: Path) -> list[str]:
    """Return the files of a run folder that a mirror holds, as names relative to the folder.

    ``last-1.ckpt`` is not among them. The mirror copies its own last checkpoint instead, without a second upload.
    """
    paths = [*run.glob("checkpoints/*.ckpt"), *run.glob("scoreboards/**/*.*"), *run.glob("*.*")]
    names = [str(path.relative_to(run)) for path in paths if path.is_file()]
    return sorted(name for name in names if NAMES.fullmatch(name) and name != BEFORE)


def fetch_run(url: str, run: Path, finished: bool = False) -> None:
    """Update a run folder from its mirror if the mirror's last checkpoint is newer than the local one.

    Every file is verified. If the mirror's last checkpoint is corrupt, the one before it replaces it, with a message.
    Nothing happens if the mirror has no checkpoint. Processes of one machine that start together wait for the first.

    Args:
        url: The mirror, without task and run.
        run: The run folder.
        finished: Whether to fetch a finished run too, to test it.

    Raises:
        UserError: If the run is finished, or the mirror cannot be read and there is no local checkpoint.
    """
    source, last = run_url(url, run), run / LAST
    with locked(run / SNAPSHOTS):
        try:
            names = [name for name in names_below(source) if NAMES.fullmatch(name)]
            if COMPLETE in names and not finished:
                raise UserError(
                    f"run {source} is finished; choose another --run, or test it with --ckpt_path {source}/{BEST}"
                )
            sources = [name for name in (LAST, BEFORE) if name in names]
            local_step = _step_of(last)
            if local_step is not None and sources and read_sidecar(f"{source}/{LAST}") == [digest_of(last)]:
                return  # both are the same checkpoint
            remote_step = _fetch_last(source, sources, run)
        except RemoteError as error:
            if not last.exists():
                raise
            say(f"{error}; continuing from the local {last}")
            return
        if remote_step is None:
            return
        fresh = run / "checkpoints" / ".fetched.ckpt"
        if local_step is not None and local_step >= remote_step:
            fresh.unlink()
            if local_step > remote_step:
                say(f"continuing from {last}, step {local_step}, which is newer than step {remote_step} of {source}")
            return
        for name in names:
            if name not in (LAST, BEFORE):
                try:
                    fetch_verified(f"{source}/{name}", run / name)
                except CorruptError as error:
                    say(f"{error}; skipping it")
        fresh.replace(last)
        older = "" if local_step is None else f", which is newer than step {local_step} of {run}"
        say(f"fetched {source}, step {remote_step}{older}")


def _fetch_last(source: str, names: list[str], run: Path) -> int | None:
    """Fetch the newest intact checkpoint to ``.fetched.ckpt`` and return its step; None if there is no checkpoint."""
    fresh = run / "checkpoints" / ".fetched.ckpt"
    for number, name in enumerate(names):
        try:
            fetch_verified(f"{source}/{name}", fresh)
            return int(read_checkpoint(fresh)["global_step"])
        except CorruptError as error:
            if number == len(names) - 1:
                raise
            say(f"{error}; using {source}/{names[number + 1]}, the checkpoint before it")
    return None


def _step_of(path: Path) -> int | None:
    """Return the step of a local checkpoint; None if it does not exist or cannot be read."""
    try:
        return int(read_checkpoint(path)["global_step"])
    except UserError as error:
        if path.exists():
            say(f"{error}; trying the mirror")
        return None
