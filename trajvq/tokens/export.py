"""Export a tokenizer to a folder to share: weights as safetensors, class and arguments as JSON; no Lightning."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from trajvq.errors import UserError
from trajvq.io.files import whole_file, write_text

WEIGHTS, CONFIG = "tokenizer.safetensors", "config.json"
FORMAT = "trajvq-tokenizer"


def write_folder(network: nn.Module, spec: dict[str, Any], about: dict[str, Any], out: Path) -> None:
    """Write a tokenizer's weights and class to a folder, each file completely or not at all.

    Args:
        network: The tokenizer.
        spec: Its class path and arguments; see `trajvq.tokens.protocol.spec_of`.
        about: More entries for the JSON file, as plain data.
        out: The folder; created if necessary.

    Raises:
        UserError: If it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with whole_file(out / WEIGHTS) as partial:
            save_file({name: value.contiguous() for name, value in network.state_dict().items()}, partial)
        write_text(out / CONFIG, json.dumps({"format": FORMAT, "tokenizer": spec, **about}, indent=1))
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from None


def read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a folder written by `write_folder`.

    Returns:
        Class path and arguments of the network, and its weights by name.

    Raises:
        UserError: If it is not such a folder, or damaged.
    """
    try:
        content = json.loads((folder / CONFIG).read_text())
        if content["format"] != FORMAT:
            raise KeyError(FORMAT)
        return content["tokenizer"], load_file(folder / WEIGHTS)
    except FileNotFoundError as error:
        raise UserError(f"{folder} holds no exported tokenizer: there is no {Path(str(error.filename)).name}") from None
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(f"the tokenizer in {folder} cannot be read: {str(error).splitlines()[0]}") from None
