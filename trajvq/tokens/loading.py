"""Read a tokenizer from a training checkpoint, without Lightning and without running stored code."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trajvq.errors import UserError
from trajvq.io.checkpoint import read_checkpoint
from trajvq.models.transformer import TokenLayout
from trajvq.tokens.export import read_folder
from trajvq.tokens.protocol import build

PREFIX = "tokenizer."


def load_tokenizer(path: str | Path) -> nn.Module:
    """Load a tokenizer, frozen and in evaluation mode.

    Args:
        path: A checkpoint written by ``trajvq fit --config configs/recon.yaml``, its fsspec URL, or a folder
            written by ``trajvq export``.

    Returns:
        The network, a `trajvq.tokens.Tokenizer`.

    Raises:
        UserError: If it cannot be read, or holds no tokenizer or another one than it describes.
    """
    spec, state = read_folder(Path(path)) if Path(path).is_dir() else _of_checkpoint(path)
    tokenizer = build(spec)
    difference = misfits(tokenizer.state_dict(), state)
    if difference:
        raise UserError(
            f"the weights in {path} do not fit {spec['class_path']}: {difference}; they may be from an older trajvq: "
            "train the tokenizer again"
        )
    tokenizer.load_state_dict(state)
    return tokenizer.eval().requires_grad_(False)


def _of_checkpoint(path: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    content = read_checkpoint(path)
    spec = content.get("hyper_parameters", {}).get("tokenizer")
    if spec is None:
        raise UserError(f"checkpoint {path} holds no tokenizer")
    state = content["state_dict"].items()
    return spec, {key.removeprefix(PREFIX): value for key, value in state if key.startswith(PREFIX)}


def trained_for(settings: dict[str, Any], path: str) -> tuple[TokenLayout, list[str]]:
    """Return the layout of tokens and the classes that a task's checkpoint was trained for.

    Args:
        settings: The checkpoint's entry ``trained_for``.
        path: The checkpoint's name in messages.

    Raises:
        UserError: If entries are missing or unknown.
    """
    names = {field.name for field in fields(TokenLayout)}
    if settings.keys() != names | {"classes"}:
        raise UserError(f"{path} does not describe its tokens as this trajvq does: train it again")
    t, h, w = settings["grid"]
    layout = TokenLayout(settings["codebook_size"], tuple(settings["levels"]), (t, h, w), settings["frames"])
    return layout, list(settings["classes"])


def misfits(network: dict[str, torch.Tensor], stored: dict[str, torch.Tensor]) -> str:
    """Describe the first difference in names or shapes between a network's weights and stored ones.

    Args:
        network: State dict of the network.
        stored: State dict from a file.

    Returns:
        The end of a message, such as ``it lacks 'head.weight'``; empty if there is no difference.
    """
    for name in stored:
        if name not in network:
            return f"it has {name!r}, which the network lacks"
    for name, value in network.items():
        if name not in stored:
            return f"it lacks {name!r}"
        if value.shape != stored[name].shape:
            return f"{name!r} has shape {tuple(stored[name].shape)}, the network's has {tuple(value.shape)}"
    return ""
