"""What callbacks need from a task, each need as a Protocol. No callback asks which task it runs beside."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeGuard, runtime_checkable

import lightning as L
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trajvq.io.arrays import Bytes


@runtime_checkable
class HasScoreboards(Protocol):
    """A task whose test makes a scoreboard of every split.

    Attributes:
        scoreboards: By split: ``clips``, ``truth``, ``rows`` and, for the report, ``details``
            (`trajvq.metrics.details.ClipDetails`).
    """

    scoreboards: dict[str, dict[str, Any]]


@runtime_checkable
class HasClasses(Protocol):
    """A task that knows the classes of its data.

    Attributes:
        classes: Their names, in the order of labels.
    """

    classes: list[str]


@runtime_checkable
class HasConfusion(HasClasses, HasScoreboards, Protocol):
    """A task that counts which classes it takes for which.

    Attributes:
        confusion: By split, of the last validation or test, int64 ``(classes, classes + 1)``: true classes by answers;
            the last column counts answers of no class.
    """

    confusion: dict[str, NDArray[np.int64]]


@runtime_checkable
class HasCodeUsage(Protocol):
    """A task whose validation counts codes.

    Attributes:
        code_usage: Under ``counts``, how often each code occurs, int64 ``(codes,)``, by part of the clips. Under other
            names, figures such as ``perplexity``. Empty before the first validation.
    """

    code_usage: dict[str, Any]


@runtime_checkable
class HasSamples(Protocol):
    """A task whose test samples clips.

    Attributes:
        samples_by_class: Samples by the name of their class, uint8 ``(N, T, 3, H, W)``.
        closest_pairs: The samples closest to training clips, and these training clips, uint8 ``(N, T, 3, H, W)`` each.
    """

    samples_by_class: dict[str, Bytes]
    closest_pairs: Sequence[Bytes]


@runtime_checkable
class HasInitialWeights(Protocol):
    """A task that can start from existing weights.

    Attributes:
        init_from: Where these are; None for random weights.
        resumed: Whether a checkpoint gives the weights, so that ``init_from`` is not read.
        initial_weights: ``path`` and ``sha256`` of the weights that the run started from; None for random ones.
    """

    init_from: str | None
    resumed: bool
    initial_weights: dict[str, str] | None


@runtime_checkable
class HasAdaptation(Protocol):
    """A task that adapts to its training clips.

    Attributes:
        adapted: How, a line each; empty before the training.
    """

    adapted: list[str]


@runtime_checkable
class HasForecasts(HasClasses, HasScoreboards, Protocol):
    """A task that predicts how clips continue.

    Attributes:
        context: Frames that it sees of a clip.
        tracks: By split of the last test, of N objects, ``(N, F, 2)`` px: ``truth``, ``model`` and, where there are
            samples, ``samples`` ``(N, K, F, 2)``; and ``clip`` and ``object`` ``(N,)``, which object of which clip.
    """

    context: int
    tracks: dict[str, dict[str, NDArray[Any]]]


def has_reconstruction(outputs: Any) -> TypeGuard[Mapping[str, Tensor]]:
    """Return whether the outputs of a step hold clips ``video`` and their ``reconstruction``, ``(B, 3, T, H, W)``."""
    return isinstance(outputs, Mapping) and {"video", "reconstruction"} <= outputs.keys()


def task_name(model: L.LightningModule) -> str:
    """Return the name of a task in run folders, loggers and scoreboards; ``custom`` if it has no ``task``."""
    return str(getattr(model, "task", "custom"))
