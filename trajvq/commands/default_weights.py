"""``--ckpt_path default``: evaluate the weights that come with the package."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from lightning import __version__

from trajvq.errors import UserError
from trajvq.runs.checkpoints import FORMAT
from trajvq.runs.folder import best
from trajvq.tokens import weights
from trajvq.tokens.export import read_folder
from trajvq.tokens.task_weights import default_checkpoint, write_slim
from trajvq.tokens.weights import DEFAULT, SCORE, read_tokenizer

TOKENIZER_OPTIONS = ("--model.tokenizer_ckpt", "--model.init_args.tokenizer_ckpt")


def default_weights(config: Any, run: Path, command: Sequence[str]) -> Path:
    """Return the checkpoint that ``--ckpt_path default`` names, and let its task use the package's tokenizer.

    Args:
        config: The parsed command, changed in place: ``model.tokenizer_ckpt`` becomes ``default``, unless the command
            line sets it.
        run: The run folder, to which the tokenizer is written as a checkpoint where the task is ``recon``.
        command: The command line as the user typed it.

    Raises:
        UserError: If the package has no weights of the task.
    """
    task = _task_of(str(config.model.class_path))
    if task == "recon":
        return _write_tokenizer(best(run))
    path = default_checkpoint(task)
    if not any(argument.partition("=")[0] in TOKENIZER_OPTIONS for argument in command):
        config.model.init_args.tokenizer_ckpt = DEFAULT
    return path


def check_complete(content: dict[str, Any], checkpoint: str) -> None:
    """Check that a training can start from a checkpoint's state.

    Raises:
        UserError: If it holds weights alone.
    """
    if "optimizer_states" not in content:
        raise UserError(f"{checkpoint} holds weights alone; start a run from them with --model.init_from {checkpoint}")


def _task_of(class_path: str) -> str:
    module, _, name = class_path.rpartition(".")
    return str(getattr(getattr(import_module(module), name), "task", "custom"))


def _write_tokenizer(path: Path) -> Path:
    """Write the package's tokenizer as a checkpoint of ``recon`` and return its path."""
    read_tokenizer(DEFAULT)  # says so where the package has none
    about, state, _ = read_folder(weights.FOLDER)
    facts = about.get("about", {})
    content = {
        "epoch": 0,
        "global_step": facts.get("step", 0),
        "pytorch-lightning_version": __version__,
        "state_dict": {f"tokenizer.{name}": value for name, value in state.items()},
        "hyper_parameters": {"tokenizer": about["tokenizer"]},
        "callbacks": {DEFAULT: {"monitor": SCORE, "current_score": torch.tensor(about["skill"])}},
        "trajvq": {"format": FORMAT, "dataset": facts.get("dataset")},
    }
    write_slim(content, path)
    return path
