"""Read a training checkpoint without Lightning and without executing code from it."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from trajvq.errors import UserError
from trajvq.io.cache import local_copy
from trajvq.io.renamed import old_names

TASKS = ("recon", "classify", "sample", "forecast")  # whose runs are in folders of these names


class OldCheckpointError(UserError):
    """The checkpoint was written by an older trajvq, whose options had other names."""


def read_checkpoint(path: str | Path, or_default: bool = False) -> dict[str, Any]:
    """Load a checkpoint with ``weights_only=True``.

    Args:
        path: A file or a URL. A URL is read from its local copy.
        or_default: Whether the message about a missing file names ``--ckpt_path default``.

    Raises:
        OldCheckpointError: If an older trajvq wrote it.
        UserError: If it is missing or damaged, or holds more than plain data.
    """
    try:
        file = local_copy(path)
        _check_sums(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        task = _task_of(Path(path))
        command = "trajvq fit" if task is None else f"trajvq fit --config {task}"
        remedy = ", or use the package's weights by `--ckpt_path default`" if or_default else ""
        raise UserError(f"there is no checkpoint {path}; train one with `{command}`{remedy}") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0].split(". ")[0] if str(error) else type(error).__name__
        raise UserError(f"checkpoint {path} cannot be read: {reason}") from None
    if not isinstance(content, dict) or "state_dict" not in content:
        raise UserError(f"{path} is not a training checkpoint: it has no state_dict")
    old = old_names(content)
    if old:
        raise OldCheckpointError(
            f"checkpoint {path} was written by an older trajvq: train it again (it has {old[0]!r})"
        )
    return content


def _task_of(path: Path) -> str | None:
    """Return the task of a checkpoint ``TASK/RUN/checkpoints/FILE``, or None for any other path."""
    folder = path.parts[-4] if len(path.parts) > 3 and path.parts[-2] == "checkpoints" else ""
    return folder if folder in TASKS else None


def _check_sums(file: Path) -> None:
    """Check the CRC-32 of each tensor, which torch writes but does not check."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(f"its part {damaged} is damaged")
