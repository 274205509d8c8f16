"""Load a trained generator from its checkpoint, and sample clips, each with random numbers of its own."""

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
from trajvq.models.token_model import Conditions
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.loading import trained_for
from trajvq.tokens.protocol import module_of
from trajvq.tokens.task_weights import default_checkpoint
from trajvq.tokens.weights import DEFAULT, misfits

PREFIX = "network."
BATCH = 64


class SampledClips(NamedTuple):
    """Sampled clips.

    Attributes:
        label: int64 ``(B,)``, the class that each was sampled for, or `ANY`.
        tokens: int64 ``(B, t, h, w)``.
        tracks: float ``(B, T, 2)``, sampled positions, x and y from -1 to 1 between the edges; None without a
            trajectory model.
    """

    label: Tensor
    tokens: Tensor
    tracks: Tensor | None


def generator_for(seed: int, label: int, number: int) -> torch.Generator:
    """Return the random generator of a clip: its own for each seed, class and number.

    Args:
        seed: Of all clips.
        label: Class, or `ANY`.
        number: Of the clip within its class.
    """
    stream = int.from_bytes(hashlib.sha256(f"{seed} {label}".encode()).digest()[:4])
    return torch.Generator().manual_seed((stream + number) % 2**32)  # torch takes 32 bits


def sample_clips(
    network: Generator,
    labels: Sequence[int],
    count: int,
    seed: int = 0,
    sampling: Sampling | None = None,
    frames: int | None = None,
    batch_size: int = BATCH,
    first: int = 0,
) -> Iterator[SampledClips]:
    """Sample clips of some classes, one class after another, in batches on the CPU.

    Args:
        network: A trained generator in evaluation mode.
        labels: Classes, or `ANY`.
        count: Clips of each.
        seed: See `generator_for`; clips do not depend on which others are sampled.
        sampling: Temperature and the like; None for the model's own distribution.
        frames: Latent frames; None for as many as in training.
        batch_size: Clips sampled at once.
        first: Number of the first clip of each class.
    """
    device = next(network.parameters()).device
    length, h, w = network.layout.grid
    clips = [(label, number) for label in labels for number in range(first, first + count)]
    for start in range(0, len(clips), batch_size):
        batch = clips[start : start + batch_size]
        label = torch.tensor([label for label, _ in batch])
        generators = [generator_for(seed, label, number) for label, number in batch]
        prefix = torch.zeros(len(batch), 0, h, w, dtype=torch.int64, device=device)
        conditions = Conditions(label.to(device))
        sampled = network.generate(
            prefix, length if frames is None else frames, conditions, sampling or Sampling(), generators
        )
        tracks = None if sampled.tracks is None else sampled.tracks.cpu()
        yield SampledClips(label, sampled.tokens.cpu(), tracks)


class Loaded(NamedTuple):
    """A trained generator.

    Attributes:
        network: The network, frozen and in evaluation mode.
        tokenizer: The tokenizer of its tokens.
        classes: Names of the classes that it knows; a forecaster knows none.
        sampling: Its settings of `Sampling`, by argument.
        context: Frames that it was trained to continue; 0 for a generator of whole clips.
    """

    network: Generator
    tokenizer: FrozenTokenizer
    classes: list[str]
    sampling: dict[str, float]
    context: int


def load_generator(path: str | Path, tokenizer_ckpt: str | None = None) -> Loaded:
    """Load a generator from a checkpoint of ``trajvq fit --config sample`` or ``--config forecast``.

    Args:
        path: The checkpoint, its fsspec URL, or ``default`` for the generator that comes with the package.
        tokenizer_ckpt: Checkpoint of the tokenizer; None for the path stored in the generator's checkpoint.

    Raises:
        UserError: If the checkpoint holds no generator, or one trained on another tokenizer.
    """
    content = read_checkpoint(default_checkpoint("sample") if path == DEFAULT else path, or_default=True)
    spec = content.get("hyper_parameters", {}).get("network")
    network = module_of(spec) if spec and "trained_for" in content else None
    if not isinstance(network, Generator):
        raise UserError(f"{path} is no checkpoint of a generator; train one with `trajvq fit --config sample`")
    tokenizer = FrozenTokenizer(tokenizer_ckpt or content["tokenizer"]["path"])
    tokenizer.check(content["tokenizer"], str(path))
    layout, classes = trained_for(content["trained_for"], str(path))
    state = {name.removeprefix(PREFIX): value for name, value in content["state_dict"].items()}
    settings = content["hyper_parameters"]
    context = settings.get("context", 0)
    classes = [] if context else classes  # a forecaster does not know the class
    network.build(layout, len(classes))
    difference = misfits(network.state_dict(), state)
    if difference:
        raise UserError(f"the weights in {path} do not fit {spec['class_path']}: {difference}")
    network.load_state_dict(state)
    sampling = {field.name: settings[field.name] for field in fields(Sampling) if field.name in settings}
    return Loaded(network.eval().requires_grad_(False), tokenizer, classes, sampling, context)
