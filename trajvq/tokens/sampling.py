"""Draw clips with a trained generator: a generator from its checkpoint, and clips with a chance of their own."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from trajvq.errors import UserError
from trajvq.io.checkpoint import read_checkpoint
from trajvq.models.generator import Generator
from trajvq.models.sampling import Sampling
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.loading import misfits, trained_for
from trajvq.tokens.protocol import module_of

PREFIX = "network."
BATCH = 64
ANY = -1  # the label of clips of any class


class SampledClips(NamedTuple):
    """Clips drawn.

    Attributes:
        label: int64 ``(B,)``, what was asked for.
        tokens: int64 ``(B, t, h, w)``.
        path: float ``(B, T, 2)``, planned, from -1 to 1 between the edges; None without planner.
    """

    label: Tensor
    tokens: Tensor
    path: Tensor | None


def generator_for(seed: int, label: int, number: int) -> torch.Generator:
    """Return the source of a clip's chance: its own for each seed, class and number.

    Args:
        seed: Of the whole drawing.
        label: Class, or `ANY`.
        number: Of the clip within its class.
    """
    stream = int.from_bytes(hashlib.sha256(f"{seed} {label}".encode()).digest()[:4])
    return torch.Generator().manual_seed((stream + number) % 2**32)  # torch looks at 32 bits


def sample_clips(
    network: Generator,
    labels: Sequence[int],
    each: int,
    seed: int = 0,
    how: Sampling | None = None,
    frames: int | None = None,
    batch_size: int = BATCH,
    first: int = 0,
) -> Iterator[SampledClips]:
    """Draw clips of some classes, one class after another.

    Args:
        network: A trained generator in evaluation mode.
        labels: Classes, or `ANY`.
        each: Clips of each.
        seed: See `generator_for`; clips do not depend on which others are asked for.
        how: How to draw.
        frames: Latent frames; None for as many as were trained.
        batch_size: Clips drawn at once.
        first: Number of the first clip of each class.
    """
    asked = [(label, number) for label in labels for number in range(first, first + each)]
    for start in range(0, len(asked), batch_size):
        part = asked[start : start + batch_size]
        label = torch.tensor([label for label, _ in part])
        generators = [generator_for(seed, label, number) for label, number in part]
        drawn = network.rollout(generators, label, frames=frames, how=how)
        yield SampledClips(label, drawn.tokens, drawn.path)


class Loaded(NamedTuple):
    """A generator as it was trained.

    Attributes:
        network: In evaluation mode.
        tokenizer: Whose tokens it tells.
        classes: Names of the classes.
        sampling: How it was set up to draw, as arguments of `Sampling`.
    """

    network: Generator
    tokenizer: FrozenTokenizer
    classes: list[str]
    sampling: dict[str, float]


def load_generator(path: str | Path, tokenizer_ckpt: str | None = None) -> Loaded:
    """Load a generator from a checkpoint of ``trajvq fit --config configs/sample.yaml``.

    Args:
        path: The checkpoint, or its fsspec URL.
        tokenizer_ckpt: The tokenizer, if it is not where it was in training.

    Raises:
        UserError: If the checkpoint is none of a generator, or the tokenizer is another one.
    """
    content = read_checkpoint(path)
    spec = content.get("hyper_parameters", {}).get("network")
    network = module_of(spec) if spec and "trained_for" in content else None
    if not isinstance(network, Generator):
        raise UserError(f"{path} is no checkpoint of a generator; train one with `trajvq fit --config sample`")
    tokenizer = FrozenTokenizer(tokenizer_ckpt or content["tokenizer"]["path"])
    tokenizer.check(content["tokenizer"], str(path))
    layout, classes = trained_for(content["trained_for"], str(path))
    network.build(layout, len(classes))
    state = {name.removeprefix(PREFIX): value for name, value in content["state_dict"].items()}
    wrong = misfits(network.state_dict(), state)
    if wrong:
        raise UserError(f"the weights in {path} do not fit {spec['class_path']}: {wrong}")
    network.load_state_dict(state)
    settings = content["hyper_parameters"]
    sampling = {field.name: settings[field.name] for field in fields(Sampling) if field.name in settings}
    return Loaded(network.eval().requires_grad_(False), tokenizer, classes, sampling)
