"""Classification figures: accuracy with its interval, overall and by class, confusion and calibration."""

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import multiclass_calibration_error
from torchmetrics.utilities import dim_zero_cat

from trajvq.metrics.intervals import wilson
from trajvq.metrics.judge import confusion

BINS = 15  # of confidence, for the calibration error (Guo et al., 2017)


class ClassPredictions(Metric):
    """Collect the predictions of every clip over batches and processes."""

    full_state_update = False
    NAMES = ("probability", "label", "index", "identifiable")

    def __init__(self) -> None:
        super().__init__()
        for name in self.NAMES:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, probability: Tensor, label: Tensor, index: Tensor, identifiable: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            probability: float ``(B, classes)``.
            label: int64 ``(B,)``.
            index: int64 ``(B,)``, the clip's number in its split.
            identifiable: bool ``(B,)``; None if the dataset has no such column, which counts every clip as
                identifiable.
        """
        if identifiable is None:
            identifiable = torch.ones_like(label, dtype=torch.bool)
        for name, value in zip(self.NAMES, (probability.float(), label, index, identifiable), strict=True):
            getattr(self, name).append(value.detach())

    def compute(self) -> dict[str, NDArray[Any]]:
        """Return arrays by name, sorted by clip. As tensors, torchmetrics would squeeze those of a single clip."""
        predictions = {name: dim_zero_cat(getattr(self, name)).cpu() for name in self.NAMES}
        order = predictions["index"].argsort(stable=True)
        return {name: value[order].numpy() for name, value in predictions.items()}

    def sorted_by_clip(self) -> dict[str, Tensor]:
        """Return what `update` takes, of all clips N: ``(N, classes)`` and ``(N,)``, on the CPU."""
        return {name: torch.from_numpy(value) for name, value in self.compute().items()}


def class_figures(
    label: Tensor, predicted: Tensor, classes: Sequence[str], identifiable: Tensor, probability: Tensor | None = None
) -> dict[str, Any]:
    """Return the figures of N predictions.

    Args:
        label: int64 ``(N,)``.
        predicted: int64 ``(N,)``; -1 for none of the classes, which counts as wrong.
        classes: Names of the classes.
        identifiable: bool ``(N,)``: clips whose motion determines their class.
        probability: float ``(N, classes)``; None for predictions without confidence.

    Returns:
        ``accuracy`` over all clips and, if there are any, ``accuracy_identifiable`` over those, each with its Wilson
        interval; ``per_class`` accuracies; ``confusion`` as of `trajvq.metrics.judge.confusion`; and with probabilities
        ``ece``, the expected calibration error in 15 bins.
    """
    correct = predicted == label
    figures: dict[str, Any] = {
        "accuracy": _rate(correct),
        **({"accuracy_identifiable": _rate(correct[identifiable])} if identifiable.any() else {}),
        "per_class": {name: _rate(correct[label == k]) for k, name in enumerate(classes) if (label == k).any()},
        "confusion": confusion(label.numpy(), predicted.numpy(), len(classes)).tolist(),
    }
    if probability is not None:
        twice = 1 + (len(label) == 1)  # torchmetrics squeezes the dimension of a single clip
        share, target = probability.repeat(twice, 1), label.repeat(twice)
        error = multiclass_calibration_error(share, target, num_classes=len(classes), n_bins=BINS)
        figures["ece"] = float(error)
    return figures


def _rate(correct: Tensor) -> Any:
    return wilson(float(correct.sum()), len(correct))
