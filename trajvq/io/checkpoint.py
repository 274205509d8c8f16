"""Read a training checkpoint without Lightning and without running stored code."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from trajvq.errors import UserError
from trajvq.io.cache import local_copy

TASKS = ("recon", "classify", "sample", "forecast")


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Load a checkpoint, a file or the copy of a URL, with ``weights_only=True``.

    Raises:
        UserError: If it is missing, damaged, or holds more than plain data.
    """
    try:
        file = local_copy(path)
        _check_sums(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        parts = Path(path).parts[-4:]  # of TASK/RUN/checkpoints/FILE
        task = parts[0] if len(parts) == 4 and parts[0] in TASKS else "recon"
        raise UserError(f"there is no checkpoint {path}; train one with `trajvq fit --config {task}`") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0].split(". ")[0] if str(error) else type(error).__name__
        raise UserError(f"checkpoint {path} cannot be read: {reason}") from None
    if not isinstance(content, dict) or "state_dict" not in content:
        raise UserError(f"{path} is not a training checkpoint: it has no state_dict")
    return content


def _check_sums(file: Path) -> None:
    """Check the CRC-32 that torch writes for each tensor, and does not look at when it reads."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(f"its part {damaged} is damaged")
