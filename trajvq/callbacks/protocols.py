"""What callbacks ask of a task, each as a Protocol: a callback never asks which task it is."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class HasSamples(Protocol):
    """A task whose test leaves sampled clips to look at.

    Attributes:
        shown: By class name, uint8 ``(N, T, 3, H, W)``.
        pairs: The sampled clips nearest to training clips, and these, uint8 ``(N, T, 3, H, W)`` each.
    """

    shown: dict[str, NDArray[np.uint8]]
    pairs: list[NDArray[np.uint8]]


@runtime_checkable
class HasScoreboards(Protocol):
    """A task whose test leaves a scoreboard for every split.

    Attributes:
        scoreboards: By split.
    """

    scoreboards: dict[str, dict[str, Any]]
