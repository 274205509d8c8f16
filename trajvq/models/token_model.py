"""The TokenModel protocol: a distribution of clips of tokens, trained and sampled by the tasks.

B clips, K objects, T frames; t, h, w tokens over latent frames, rows and columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from trajvq.models.sampling import Sampling
from trajvq.models.transformer import TokenLayout

ANY = -1  # the label of a clip whose class is not known


@dataclass(frozen=True)
class Conditions:
    """What is known of clips beside their tokens. All of it is optional.

    Attributes:
        label: int64 ``(B,)`` class ids, `ANY` for a clip of unknown class; None where no class is known.
        tracks: float ``(B, K, S, 2)``, where each object is in each frame, x and y from -1 to 1 between the edges; all
            NaN where a clip has fewer objects.
        appearance: float ``(B, K, 4)``, their radii and colors; see `trajvq.tokens.tracks.as_appearance`.
        context: First latent frames that are given and therefore not part of the likelihood.
        progress: Share of the training that is done, 0 to 1; counts in training alone.
    """

    label: Tensor | None = None
    tracks: Tensor | None = None
    appearance: Tensor | None = None
    context: int = 0
    progress: float = 1.0


def class_ids(label: Tensor | None, count: int, classes: int, device: torch.device) -> Tensor:
    """Return int64 ``(count,)`` ids for an embedding of classes, in which the number of classes stands for none."""
    if label is None:
        return torch.full((count,), classes, device=device)
    label = label.to(device)
    return label.masked_fill(label < 0, classes)


class Generated(NamedTuple):
    """Sampled clips.

    Attributes:
        tokens: int64 ``(B, t, h, w)``.
        tracks: float ``(B, K, T, 2)``, where the objects were placed, x and y from -1 to 1 between the edges, NaN
            where a clip has fewer; None without a trajectory model.
        appearance: float ``(B, K, 4)``; None without an appearance model.
    """

    tokens: Tensor
    tracks: Tensor | None = None
    appearance: Tensor | None = None


@runtime_checkable
class TokenModel(Protocol):
    """A distribution of clips of tokens. Any `torch.nn.Module` with these methods will do."""

    def build(self, layout: TokenLayout, classes: int, *, tracks: bool = False, appearance: bool = False) -> None:
        """Create the layers with fresh weights.

        Args:
            layout: Of the tokens.
            classes: Number of classes; 0 where clips have none.
            tracks: Conditions will hold tracks.
            appearance: Conditions will hold appearances.
        """
        ...

    def log_likelihood(self, tokens: Tensor, conditions: Conditions) -> dict[str, Tensor]:
        """Return the natural log-likelihood of clips in named parts, each ``(B,)``; their sum is the clip's.

        It may be a lower bound, and in training an unbiased estimate.

        Args:
            tokens: int64 ``(B, t, h, w)``.
            conditions: What is known of the clips; tracks are those of all frames.
        """
        ...

    def generate(
        self,
        prefix: Tensor,
        frames: int,
        conditions: Conditions,
        sampling: Sampling,
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """Return sampled clips, int64 ``(B, frames, h, w)``, that begin with the prefix.

        Args:
            prefix: int64 ``(B, s, h, w)``, the first latent frames; s may be 0.
            frames: Latent frames, those of the prefix included; at most as many as in training.
            conditions: What is known of the clips; tracks are those of all ``frames``.
            sampling: Temperature and the like.
            generators: One on the CPU for each clip, the only source of randomness: no clip depends on the others.
        """
        ...
