"""Load a tokenizer, frozen, without Lightning and without running stored code."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from torch import nn

from trajvq.errors import UserError
from trajvq.models.normalization import match_backgrounds
from trajvq.models.transformer import TokenLayout
from trajvq.tokens.protocol import build
from trajvq.tokens.weights import Weights, misfits, read_tokenizer


def load_tokenizer(path: str | Path) -> nn.Module:
    """Load a tokenizer, frozen and in evaluation mode.

    Args:
        path: ``default`` for the tokenizer that comes with the package; a checkpoint written by ``trajvq fit --config
            configs/recon.yaml``, its fsspec URL, a folder written by ``trajvq export``, or ``hf://OWNER/NAME`` for such
            a folder on the Hugging Face Hub.

    Returns:
        The network, a `trajvq.tokens.Tokenizer`.

    Raises:
        UserError: If it cannot be read, or holds no tokenizer or another one than it describes.
    """
    return network_of(read_tokenizer(path))


def network_of(weights: Weights) -> nn.Module:
    """Return the tokenizer of weights, frozen and in evaluation mode.

    Raises:
        UserError: If the weights are of another network than they describe.
    """
    tokenizer = build(weights.spec)
    match_backgrounds(tokenizer, weights.state)
    difference = misfits(tokenizer.state_dict(), weights.state)
    if difference:
        raise UserError(
            f"the weights in {weights.path} do not fit {weights.spec['class_path']}: {difference}; they may be from an "
            "older trajvq: train the tokenizer again"
        )
    tokenizer.load_state_dict(weights.state)
    return tokenizer.eval().requires_grad_(False)


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
