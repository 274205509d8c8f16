"""The error budget of a predicted path: how much the extractor, the tokenizer and the dynamics contribute."""

from typing import TypedDict

import numpy as np

from trajvq.io.arrays import Floats
from trajvq.metrics.reconstruction.objects import MISSING_ERROR


class Budget(TypedDict):
    """Contributions to a mean squared error, px². They add up to ``total``.

    Attributes:
        extractor: Tracked true clips against the truth.
        tokenizer: Tracked reconstructions against tracked true clips.
        dynamics: Predictions against tracked reconstructions.
        together: Twice the sum of the products of the three errors; 0 if they are independent.
        total: Predictions against the truth.
    """

    extractor: float
    tokenizer: float
    dynamics: float
    together: float
    total: float


def error_budget(truth: Floats, tracked: Floats, reconstructed: Floats, predicted: Floats) -> Budget:
    """Split the squared error of predicted positions into the steps that cause it.

    A position that is missing (NaN) counts as an error of `MISSING_ERROR` px in x, in the step where it goes missing.

    Args:
        truth: ``(N, T, 2)`` true positions, px.
        tracked: ``(N, T, 2)`` tracked in the true clips.
        reconstructed: ``(N, T, 2)`` tracked in the reconstructions.
        predicted: ``(N, T, 2)`` predicted.
    """
    previous = truth
    steps = []
    for positions in (tracked, reconstructed, predicted):
        lost = ~np.isfinite(positions).all(axis=-1, keepdims=True)
        complete = np.where(lost, previous + np.array([MISSING_ERROR, 0.0]), positions)
        steps.append(complete - previous)
        previous = complete
    squares = [float(np.square(step).sum(axis=-1).mean()) for step in steps]
    total = float(np.square(sum(steps)).sum(axis=-1).mean())
    return {
        "extractor": squares[0],
        "tokenizer": squares[1],
        "dynamics": squares[2],
        "together": total - sum(squares),
        "total": total,
    }
