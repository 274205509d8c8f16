"""Weights of the tasks that come with the package: slim checkpoints, which ``--ckpt_path default`` names."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trajvq.errors import UserError
from trajvq.io.checkpoint import read_checkpoint
from trajvq.io.files import whole_file, writing
from trajvq.tokens.weights import DEFAULT, read_tokenizer

FOLDER = Path(__file__).parents[1] / "weights" / "tasks"
TASKS = ("classify", "sample", "forecast")
MAKE = "`python experiments/weights/make_tasks.py` in a checkout"
# What it takes to test and predict. The rest, such as the optimizer's state, is for a training that continues.
KEPT = (
    "epoch",
    "global_step",
    "pytorch-lightning_version",
    "hparams_name",
    "hyper_parameters",
    "initial_weights",
    "tokenizer",
    "trained_for",
    "training_clips",
    "trajvq",
)


def default_checkpoint(task: str) -> Path:
    """Return the slim checkpoint of a task that comes with the package.

    Args:
        task: Such as ``classify``.

    Raises:
        UserError: If there is none, or it was made with another tokenizer than the package's.
    """
    path = FOLDER / f"{task}.ckpt"
    if task not in TASKS:
        raise UserError(f"there are no {DEFAULT} weights of {task}; give a checkpoint of it")
    if not path.is_file():
        raise UserError(f"this trajvq has no {DEFAULT} weights of {task} ({path} is missing); make them with {MAKE}")
    theirs, own = read_checkpoint(path).get("tokenizer", {}).get("sha256", ""), read_tokenizer(DEFAULT).sha256
    if theirs != own:
        raise UserError(
            f"the {DEFAULT} weights of {task} were made with another {DEFAULT} tokenizer (sha256 {theirs[:12]}) than "
            f"this trajvq's (sha256 {own[:12]}); make them again with {MAKE}"
        )
    return path


def slim(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's checkpoint without what only a training that continues needs.

    Args:
        content: The checkpoint, such as ``best.ckpt`` of a run; its ``state_dict`` is the moving average of weights.

    Returns:
        What ``validate``, ``test``, ``predict``, ``sample`` and ``model.init_from`` read, and ``score``: ``monitor``
        and ``value`` of the figure that selected the weights, where one did.

    Raises:
        UserError: If it is no checkpoint of a task on tokens.
    """
    if "trained_for" not in content:
        raise UserError(f"only checkpoints of {', '.join(TASKS)} can be made slim")
    state = {name: value.clone() for name, value in content["state_dict"].items()}  # not the storage of a larger one
    kept = {name: content[name] for name in KEPT if name in content}
    return kept | {"state_dict": state, "score": _score(content)}


def _score(content: Mapping[str, Any]) -> dict[str, Any] | None:
    for callback in content.get("callbacks", {}).values():
        if isinstance(callback, Mapping) and isinstance(callback.get("current_score"), Tensor):
            return {"monitor": callback["monitor"], "value": float(callback["current_score"])}
    return None


def half(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a slim checkpoint with its weights as float16, in half the space; networks load them as float32.

    Raises:
        ValueError: If a weight is beyond float16.
    """
    state = {
        name: value.half() if value.is_floating_point() else value for name, value in content["state_dict"].items()
    }
    beyond = [name for name, value in state.items() if not value.isfinite().all()]
    if beyond:
        raise ValueError(f"weights of {', '.join(beyond)} are beyond float16")
    return {**content, "state_dict": state}


def write_slim(content: Mapping[str, Any], path: Path) -> None:
    """Write a slim checkpoint completely or not at all.

    Args:
        content: From `slim`, and perhaps more plain data.
        path: The file; its folder is created if necessary.

    Raises:
        UserError: If it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)  # it does not say that a disk is full
    with writing(path, "choose another folder"), whole_file(path) as partial:
        partial.write_bytes(buffer.getbuffer())
