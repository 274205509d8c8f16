"""Where the error of a predicted path comes from: the extractor, the tokenizer, or the dynamics."""

from typing import TypedDict

import numpy as np

from trajvq.io.arrays import Floats
from trajvq.metrics.reconstruction.metric import MISSING


class Budget(TypedDict):
    """Shares of a mean squared error in px², which add up, and the frames they rest on.

    Attributes:
        extractor: The tracker on true clips.
        tokenizer: Tracked reconstructions against tracked truth.
        dynamics: The prediction against tracked reconstructions.
        together: What the three have in common: twice the sum of their products; 0 where they are independent.
        total: The prediction against the truth; the sum of all above.
    """

    extractor: float
    tokenizer: float
    dynamics: float
    together: float
    total: float


def error_budget(truth: Floats, tracked: Floats, reconstructed: Floats, predicted: Floats) -> Budget:
    """Split the squared error of predicted places into the steps that made it.

    A place that is missing (NaN) in any step is charged there: it counts as `MISSING` px off in x.

    Args:
        truth: ``(N, T, 2)`` true places, px.
        tracked: The same, tracked in the true clips.
        reconstructed: The same, tracked in the reconstructions.
        predicted: The same, as the predictor says.
    """
    found = truth
    steps = []
    for places in (tracked, reconstructed, predicted):
        lost = ~np.isfinite(places).all(axis=-1, keepdims=True)
        filled = np.where(lost, found + np.array([MISSING, 0.0]), places)
        steps.append(filled - found)
        found = filled
    squares = [float(np.square(step).sum(axis=-1).mean()) for step in steps]
    total = float(np.square(sum(steps)).sum(axis=-1).mean())
    return {
        "extractor": squares[0],
        "tokenizer": squares[1],
        "dynamics": squares[2],
        "together": total - sum(squares),
        "total": total,
    }
