"""Export a tokenizer to a folder to share: weights as safetensors, class and arguments as JSON; no Lightning."""

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from trajvq.errors import UserError
from trajvq.io.files import file_sha256, whole_file, write_text

WEIGHTS, CONFIG = "model.safetensors", "config.json"  # as in model repositories of the Hugging Face Hub
OLD_WEIGHTS = "tokenizer.safetensors"  # their name in 0.1.0
FORMAT = "trajvq-tokenizer"


def write_folder(network: nn.Module, spec: dict[str, Any], about: dict[str, Any], out: Path) -> None:
    """Write a tokenizer's weights and class to a folder, each file completely or not at all.

    Args:
        network: The tokenizer.
        spec: Its class path and arguments; see `trajvq.tokens.protocol.spec_of`.
        about: More entries for the JSON file, as plain data, such as ``skill``, which the tasks read.
        out: The folder; created if necessary.

    Raises:
        UserError: If it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with whole_file(out / WEIGHTS) as partial:
            # Not by `save_file`, whose files only their owner can read.
            partial.write_bytes(save({name: value.contiguous() for name, value in network.state_dict().items()}))
        content = {"format": FORMAT, "tokenizer": spec, "weights_sha256": file_sha256(out / WEIGHTS), **about}
        write_text(out / CONFIG, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from None


def read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor], str]:
    """Read a folder written by `write_folder`.

    Returns:
        The JSON file's content, with class path and arguments of the network under ``tokenizer``; the weights by name;
        and the SHA-256 of class path, arguments and weights. The rest of the JSON file does not change it.

    Raises:
        UserError: If it is not such a folder, or damaged.
    """
    try:
        content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise KeyError(FORMAT)
        spec, weights = content["tokenizer"], file_sha256(folder / WEIGHTS)
        if content.get("weights_sha256", weights) != weights:
            raise ValueError(f"the SHA-256 of {WEIGHTS} is not the one in {CONFIG}; export it again")
        state = load_file(folder / WEIGHTS)
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        older = missing == WEIGHTS and (folder / OLD_WEIGHTS).exists()
        remedy = f"; rename {OLD_WEIGHTS}, which an older trajvq wrote, to {WEIGHTS}" if older else ""
        raise UserError(f"{folder} holds no exported tokenizer: there is no {missing}{remedy}") from None
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(f"the tokenizer in {folder} cannot be read: {str(error).splitlines()[0]}") from None
    identity = json.dumps({"tokenizer": spec, "weights_sha256": weights}, sort_keys=True)
    return content, state, hashlib.sha256(identity.encode()).hexdigest()
