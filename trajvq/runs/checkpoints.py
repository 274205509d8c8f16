"""Checkpoint files of a run: write them atomically, and find the one that a run continues from."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_only

from trajvq.errors import UserError
from trajvq.io.checkpoint import OldCheckpointError, read_checkpoint
from trajvq.io.files import whole_file

FORMAT = 1  # of the state that a run continues from; raised when older checkpoints no longer hold all of it
ROOM = 2**26  # bytes; with less disk space left, a failure of torch's writer, which hides the reason, is a full disk
LAST, BEFORE = "last.ckpt", "last-1.ckpt"


class WholeCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint to a temporary file, flush it to disk and only then rename it.

    The previous ``last.ckpt`` becomes ``last-1.ckpt`` at the same moment.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Save a checkpoint completely or not at all.

        Raises:
            UserError: If it cannot be written. The previous one stays unchanged.
        """
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(target) as partial:
                with partial.open("wb") as file:
                    torch.save(checkpoint, file)
                    file.flush()
                    os.fsync(file.fileno())  # before the previous one is renamed
                if target.name == LAST and target.exists():
                    target.replace(target.with_name(BEFORE))
        except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError when the disk is full
            full = target.parent.is_dir() and shutil.disk_usage(target.parent).free < ROOM
            reason = getattr(error, "strerror", None) or ("the disk is full" if full else str(error).splitlines()[0])
            raise UserError(
                f"cannot write {target}: {reason}; free some space and repeat the command, which continues from the "
                "checkpoint before"
            ) from None


def newest_whole(run: Path) -> tuple[Path, str] | None:
    """Find the checkpoint that an unfinished run continues from.

    Args:
        run: The run folder.

    Returns:
        The checkpoint and a warning, empty unless newer checkpoints cannot be read. None if there is no checkpoint.

    Raises:
        UserError: If no checkpoint can be read, or another version of trajvq wrote it.
    """
    reasons = []
    for name in (LAST, BEFORE):
        path = run / "checkpoints" / name
        if not path.exists():
            continue
        try:
            content = read_checkpoint(path)
        except OldCheckpointError:
            raise
        except UserError as error:
            reasons.append(str(error))
            if name == LAST and getattr(rank_zero_only, "rank", 0) == 0 and path.with_name(BEFORE).exists():
                path.replace(path.with_suffix(".damaged"))  # otherwise the next save would keep it as last-1.ckpt
            continue
        check_format(content, path)
        return path, "; ".join([*reasons, f"continuing from {path}, step {content['global_step']}"]) if reasons else ""
    if reasons:
        raise UserError(f"{'; '.join(reasons)}; choose another --run, or delete {run} to start over")
    return None


def check_format(content: dict[str, Any], path: Path) -> None:
    """Check that a run can continue from a checkpoint.

    Raises:
        UserError: If another version of trajvq wrote it.
    """
    saved = content.get("trajvq", {}).get("format")
    if saved != FORMAT:
        version = "an older version" if saved is None or saved < FORMAT else "a newer version"
        raise UserError(
            f"{version} of trajvq wrote {path}, and no run can continue from it; test its weights with --ckpt_path, or "
            "choose another --run"
        )
