"""What an augmentation is.

B clips, T frames, H rows, W columns.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from trajvq.adaptation import Adaptation

Generators = Sequence[torch.Generator] | None


class Augmentation(Protocol):
    """Random clips from clips. Any `torch.nn.Module` with this call will do."""

    def __call__(
        self, video: Tensor, background: Tensor, progress: float = 0.0, generators: Generators = None
    ) -> tuple[Tensor, Tensor]:
        """Return augmented clips and their backgrounds.

        Args:
            video: float ``(B, 3, T, H, W)``; in [0, 1], or normalized by their contrast.
            background: float ``(B, 3, 1, H, W)``, in the same units.
            progress: Share of the training that is done, 0 to 1.
            generators: One on the CPU for each clip, the only source of its randomness; None for torch's global one.
        """
        ...


@runtime_checkable
class AdaptiveAugmentation(Protocol):
    """An `Augmentation` that chooses for itself what suits the training clips."""

    def adapt(self, adaptation: Adaptation) -> list[str]:
        """Choose, and return what was chosen, a line each. Called in every process before the first step.

        A run that continues calls it again, with what its checkpoint kept.
        """
        ...


@runtime_checkable
class PathAugmentation(Protocol):
    """Turns paths of objects into random others, as an `Augmentation` does with clips."""

    def paths(self, path: Tensor, height: int, width: int) -> Tensor:
        """Return augmented paths float ``(B, T, 2)``; NaN stays NaN.

        Args:
            path: float ``(B, T, 2)``, x and y from -1 to 1 between the edges of the picture.
            height: Height of the picture in pixels.
            width: Width of the picture in pixels.
        """
        ...
