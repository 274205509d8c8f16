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
    """Load a tokenizer: in evaluation mode and frozen.

    Args:
        path: A checkpoint written by ``trajvq fit --config configs/recon.yaml``, its fsspec URL, or a folder
            written by ``trajvq export``.

    Returns:
        The network, a `trajvq.tokens.Tokenizer`.

    Raises:
        UserError: If it cannot be read or is not one of a tokenizer.
    """
    spec, state = read_folder(Path(path)) if Path(path).is_dir() else _of_checkpoint(path)
    tokenizer = build(spec)
    misfit = misfits(tokenizer.state_dict(), state)
    if misfit:
        raise UserError(
            f"the weights in {path} do not fit {spec['class_path']}: {misfit}; an older trajvq may have written it: "
            "train it again"
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


def trained_for(held: dict[str, Any], path: str) -> tuple[TokenLayout, list[str]]:
    """Return the tokens and the classes that a task's checkpoint was trained for.

    Args:
        held: Its ``trained_for``.
        path: Of the checkpoint, for messages.

    Raises:
        UserError: If it says something else.
    """
    known = {field.name for field in fields(TokenLayout)}
    if held.keys() != known | {"classes"}:
        raise UserError(f"{path} does not say what tokens it was trained for as this trajvq does: train it again")
    t, h, w = held["grid"]
    layout = TokenLayout(held["codebook_size"], tuple(held["levels"]), (t, h, w), held["frames"])
    return layout, list(held["classes"])


def misfits(wanted: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> str:
    """Say in words where two sets of weights differ in names or shapes; empty if nowhere."""
    for name in wanted.keys() - found.keys():
        return f"it lacks {name!r}"
    for name in found.keys() - wanted.keys():
        return f"it has {name!r}, which the network lacks"
    for name, value in wanted.items():
        if value.shape != found[name].shape:
            return f"{name!r} has shape {tuple(found[name].shape)}, the network's has {tuple(value.shape)}"
    return ""
