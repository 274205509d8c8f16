"""Checkpoint files: written whole, found again, and never mistaken for something else."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_only

from trajvq.errors import UserError
from trajvq.io.checkpoint import read_checkpoint
from trajvq.io.files import whole_file

FORMAT = 1  # of what a run needs to go on; raised when an older checkpoint no longer holds it
ROOM = 2**26  # bytes; with less left a failure of torch's writer, which hides the reason, is a full disk
LAST, BEFORE = "last.ckpt", "last-1.ckpt"


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, has it on disk and only then gives it its name.

    What was ``last.ckpt`` becomes ``last-1.ckpt`` in the same moment.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Save a checkpoint whole or not at all.

        Raises:
            UserError: If it cannot be written; the one before is left as it was.
        """
        place = Path(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(place) as partial:
                with partial.open("wb") as file:
                    torch.save(checkpoint, file)
                    file.flush()
                    os.fsync(file.fileno())  # on disk before the last one loses its name
                if place.name == LAST and place.exists():
                    place.replace(place.with_name(BEFORE))
        except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into the second
            full = place.parent.is_dir() and shutil.disk_usage(place.parent).free < ROOM
            reason = getattr(error, "strerror", None) or ("the disk is full" if full else str(error).splitlines()[0])
            raise UserError(
                f"cannot write {place}: {reason}; make room and start the same command again, it goes on from the "
                "checkpoint before"
            ) from None


def newest_whole(run: Path) -> tuple[Path, str] | None:
    """Find the checkpoint that an unfinished run goes on from.

    Args:
        run: The run folder.

    Returns:
        The checkpoint, and what is to be said about it if it is not the newest; None if there is none.

    Raises:
        UserError: If there are checkpoints but none can be read, or they are of an older version.
    """
    reasons = []
    for name in (LAST, BEFORE):
        path = run / "checkpoints" / name
        if not path.exists():
            continue
        try:
            content = read_checkpoint(path)
        except UserError as error:
            reasons.append(str(error))
            if name == LAST and getattr(rank_zero_only, "rank", 0) == 0 and path.with_name(BEFORE).exists():
                path.replace(path.with_suffix(".damaged"))  # or it would become the one before
            continue
        check_format(content, path)
        return path, "; ".join([*reasons, f"going on from {path}, step {content['global_step']}"]) if reasons else ""
    if reasons:
        raise UserError(f"{'; '.join(reasons)}; choose another --run, or delete {run} to start over")
    return None


def check_format(content: dict[str, Any], path: Path) -> None:
    """Check that a run can be continued from a checkpoint.

    Raises:
        UserError: If it is of another version of trajvq.
    """
    found = content.get("trajvq", {}).get("format")
    if found != FORMAT:
        version = "an older version" if found is None or found < FORMAT else "a newer version"
        raise UserError(
            f"{path} was written by {version} of trajvq and cannot be continued; its weights can still be tested "
            "with --ckpt_path, or start another --run"
        )
