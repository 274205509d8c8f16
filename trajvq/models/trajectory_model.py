"""The TrajectoryModel protocol: where a clip's object will be, modeled before any token is.

B clips, T frames; x and y from -1 to 1 between the edges of the picture.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from trajvq.models.sampling import Sampling
from trajvq.models.transformer import TokenLayout


@runtime_checkable
class TrajectoryModel(Protocol):
    """A distribution of tracks, one a clip. Any `torch.nn.Module` with these members will do.

    Attributes:
        has_density: Whether `log_probability` is there; a model without it learns from `loss`, a proper score.
    """

    has_density: bool

    def build(self, layout: TokenLayout, classes: int) -> None:
        """Create the layers with fresh weights; see `trajvq.models.token_model.TokenModel.build`."""
        ...

    def snap(self, tracks: Tensor) -> Tensor:
        """Return tracks ``(..., 2)`` with positions as the model represents them, for instance on its grid."""
        ...

    def log_probability(self, tracks: Tensor, label: Tensor) -> Tensor:
        """Return the natural log-probability of tracks in parts ``(B, N)``, each given those before it.

        Parts are the T positions, or other numbers that make up a track; their sum is the track's.

        Args:
            tracks: float ``(B, T, 2)`` without gaps.
            label: int64 ``(B,)``; the number of classes stands for no class.
        """
        ...

    def loss(self, tracks: Tensor, context: Tensor, label: Tensor) -> Tensor:
        """Return a proper score of the positions after the context, averaged over frames; lower is better.

        Args:
            tracks: float ``(B, T, 2)``; NaN where no object is seen, which is not scored.
            context: int64 ``(B,)``, frames given of each, 1 to T - 1.
            label: int64 ``(B,)``.
        """
        ...

    def sample(
        self, prefix: Tensor, frames: int, label: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Return tracks ``(B, frames, 2)`` that continue the prefix.

        Args:
            prefix: float ``(B, S, 2)``, positions in the first frames; S may be 0.
            frames: Frames, those of the prefix included; at most as many as in training.
            label: int64 ``(B,)``.
            sampling: Its ``noise_scale`` and ``guidance`` count.
            generators: One on the CPU for each clip.
        """
        ...


@runtime_checkable
class AdaptiveTrajectory(Protocol):
    """A `TrajectoryModel` that chooses some of its settings by the tracks of training clips."""

    def adapt(self, tracks: Tensor, symmetric: bool) -> str:
        """Choose, before `TrajectoryModel.build`; the choice shows in the model's arguments from then on.

        Args:
            tracks: float ``(N, T, 2)`` of some training clips; NaN where no object is seen.
            symmetric: Clips that are turned or mirrored look like the others.

        Returns:
            What was chosen, in a line.
        """
        ...
