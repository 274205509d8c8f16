"""Classification figures: accuracy with its interval, by class, confusion and calibration."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import multiclass_calibration_error
from torchmetrics.utilities import dim_zero_cat

from trajvq.metrics.intervals import wilson

BINS = 15  # of confidence, for the calibration error (Guo et al., 2017)


class ClassAnswers(Metric):
    """Collects what was answered to every clip, over batches and processes; ``compute`` sorts by clip."""

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
            identifiable: bool ``(B,)``; None where the dataset does not say.
        """
        known = torch.ones_like(label, dtype=torch.bool) if identifiable is None else identifiable
        for name, value in zip(self.NAMES, (probability.float(), label, index, known), strict=True):
            getattr(self, name).append(value.detach())

    def compute(self) -> dict[str, Tensor]:
        found = {name: dim_zero_cat(getattr(self, name)).cpu() for name in self.NAMES}
        order = found["index"].argsort(stable=True)
        return {name: value[order] for name, value in found.items()}


def confusion_matrix(label: Tensor, answer: Tensor, classes: int) -> Tensor:
    """Return int64 ``(classes, classes + 1)`` counts: true classes by answers, in the last column none of them.

    Args:
        label: int64 ``(N,)``.
        answer: int64 ``(N,)``; -1 for none.
        classes: Number of classes.
    """
    column = torch.where(answer < 0, classes, answer)
    return torch.bincount(label * (classes + 1) + column, minlength=classes * (classes + 1)).view(classes, -1)


def class_figures(
    label: Tensor, answer: Tensor, classes: Sequence[str], identifiable: Tensor, probability: Tensor | None = None
) -> dict[str, Any]:
    """Return the figures of N answers.

    Args:
        label: int64 ``(N,)``.
        answer: int64 ``(N,)``; -1 is an answer too, and wrong.
        classes: Names of the classes.
        identifiable: bool ``(N,)``: clips whose class can be seen at all.
        probability: float ``(N, classes)``, where answers have one.

    Returns:
        ``accuracy``, over all clips, and ``accuracy_identifiable``, each with its Wilson interval; ``per_class``;
        ``confusion``, the last column none of the classes; with probabilities ``ece``, the expected calibration
        error in 15 bins.
    """
    right = answer == label
    found: dict[str, Any] = {
        "accuracy": _rate(right),
        "accuracy_identifiable": _rate(right[identifiable]),
        "per_class": {name: _rate(right[label == k]) for k, name in enumerate(classes) if (label == k).any()},
        "confusion": confusion_matrix(label, answer, len(classes)).tolist(),
    }
    if probability is not None:
        error = multiclass_calibration_error(probability, label, num_classes=len(classes), n_bins=BINS)
        found["ece"] = float(error)
    return found


def _rate(right: Tensor) -> Any:
    return wilson(float(right.sum()), len(right))
