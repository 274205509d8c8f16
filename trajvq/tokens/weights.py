"""Weights of a trained network: from a checkpoint, a URL, an exported folder, the Hugging Face Hub or the package."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from trajvq.errors import UserError
from trajvq.io.cache import local_copy
from trajvq.io.checkpoint import read_checkpoint
from trajvq.io.files import file_sha256
from trajvq.io.hub import hub_folder, is_hub
from trajvq.io.urls import is_remote
from trajvq.models.normalization import match_backgrounds
from trajvq.tokens.export import CONFIG, WEIGHTS, read_folder
from trajvq.tokens.protocol import module_of, spec_of

DEFAULT = "default"  # the tokenizer of the default data, which comes with the package
FOLDER = Path(__file__).parents[1] / "weights" / DEFAULT
SCORE = "val/skill"


@dataclass(frozen=True)
class Weights:
    """Trained weights of a network.

    Attributes:
        path: ``default``, the URL, or the path with links resolved, since ``latest`` changes.
        sha256: SHA-256 of the checkpoint file; of a folder, that of class, arguments and weights.
        spec: Class path and arguments of the network.
        state: Its parameters and buffers by name.
        skill: ``val/skill`` of the weights; None if they were never validated or belong to another task.
    """

    path: str
    sha256: str
    spec: dict[str, Any]
    state: dict[str, Tensor]
    skill: float | None = None

    def __str__(self) -> str:
        skill = "" if self.skill is None else f", skill {self.skill:.3f}"
        return f"{self.path} (sha256 {self.sha256[:12]}{skill})"

    def identity(self) -> dict[str, str]:
        """Return path and SHA-256, as checkpoints and the provenance of a run store them."""
        return {"path": self.path, "sha256": self.sha256}

    def copy_to(self, network: nn.Module, option: str) -> None:
        """Copy the weights into a network of the same class, arguments, names and shapes.

        Args:
            network: The network, changed in place.
            option: The option that describes it, such as ``model.tokenizer``, for messages.

        Raises:
            UserError: If something differs. The message names the first difference.
        """
        remedy = "or leave out model.init_from"
        difference = _other_option(spec_of(module_of(self.spec)), spec_of(network), option)
        if difference:
            raise UserError(f"the weights {self.path} are of another network: {difference}, {remedy}")
        match_backgrounds(network, self.state)
        difference = misfits(network.state_dict(), self.state)
        if difference:
            raise UserError(f"the weights {self.path} do not fit {option}: {difference}; give other weights, {remedy}")
        network.load_state_dict(self.state)


def read_tokenizer(source: str | Path) -> Weights:
    """Read the weights of a tokenizer.

    Args:
        source: ``default`` for the tokenizer that comes with the package (``./default`` for a folder of that name), a
            folder written by ``trajvq export``, ``hf://OWNER/NAME`` for one on the Hugging Face Hub, or a checkpoint of
            ``recon`` or its fsspec URL.

    Raises:
        UserError: If it cannot be read or holds no tokenizer.
    """
    if str(source) == DEFAULT:
        return _of_folder(FOLDER, DEFAULT)
    if is_hub(source):
        return _of_folder(hub_folder(source, (CONFIG, WEIGHTS)), str(source))
    if not is_remote(source) and Path(source).is_dir():
        return _of_folder(Path(source), str(Path(source).resolve()))
    content, local = read_checkpoint(source), local_copy(source)
    spec = content.get("hyper_parameters", {}).get("tokenizer")
    if spec is None:
        raise UserError(f"checkpoint {source} holds no tokenizer")
    return of_checkpoint(source, local, content, spec, "tokenizer.")


def of_checkpoint(
    source: str | Path, local: Path, content: Mapping[str, Any], spec: dict[str, Any], prefix: str
) -> Weights:
    """Return the weights of one network in a checkpoint.

    Args:
        source: Path or URL of the checkpoint, or ``default``.
        local: Its local copy.
        content: Its content.
        spec: Class path and arguments of the network.
        prefix: What the names of its parameters begin with in the checkpoint.
    """
    state = {n.removeprefix(prefix): value for n, value in content["state_dict"].items() if n.startswith(prefix)}
    path = str(source) if is_remote(source) or source == DEFAULT else str(local.resolve())
    return Weights(path, file_sha256(local), spec, state, _skill(content))


def _of_folder(folder: Path, path: str) -> Weights:
    if path == DEFAULT and not folder.is_dir():
        raise UserError(
            f"this trajvq has no default weights ({folder} is missing); train them with "
            "`python experiments/weights/make_default.py` in a checkout, or give a checkpoint"
        )
    content, state, sha256 = read_folder(folder)
    skill = content.get("skill")
    return Weights(path, sha256, content["tokenizer"], state, None if skill is None else float(skill))


def _skill(content: Mapping[str, Any]) -> float | None:
    """Return the skill of a checkpoint's weights, from the state of the callback that selected them."""
    for state in content.get("callbacks", {}).values():
        if isinstance(state, Mapping) and state.get("monitor") == SCORE:
            score = state.get("current_score")
            return None if score is None else float(score)
    return None


def misfits(network: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> str:
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


def _other_option(stored: Mapping[str, Any], own: Mapping[str, Any], option: str) -> str:
    """Describe the first difference between two specs and what to set; empty if there is none."""
    if stored["class_path"] != own["class_path"]:
        return f"{option} is {own['class_path']}, theirs {stored['class_path']}; set {option} to theirs"
    for name, value in own["init_args"].items():
        theirs, key = stored["init_args"].get(name), f"{option}.{name}"
        if all(isinstance(v, Mapping) and "class_path" in v for v in (theirs, value)):
            difference = _other_option(theirs, value, key)
            if difference:
                return difference
        elif theirs != value and "auto" not in (theirs, value):  # a run that chose, or has yet to choose
            return f"{key} is {value}, theirs {theirs}; set {key} to theirs"
    return ""
