"""Budgets: where the error of a predicted path comes from, and how many bits a clip's own numbers are worth."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from trajvq.data.projective import FREEDOM
from trajvq.data.ranges import Floats
from trajvq.metrics.reconstruction import MISSING


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


def description_bits(
    labels: NDArray[np.int64], classes: tuple[str, ...], side: float, errors: tuple[float, float, float]
) -> float:
    """Return the bits that the numbers behind a clip are worth, at the precision that a tokenizer reaches.

    The unknowns of the class's family in the picture, each as a place in the frame told as finely as that; the
    radius, as part of the frame; three colours of 256 values; and which class it is. A plain count (Rissanen, 1978),
    for comparison with tokens: numbers that matter less could be told more coarsely.

    Args:
        labels: ``(N,)`` classes.
        classes: Their names; one that is no motion family counts as the largest.
        side: Of the frame in px.
        errors: RMS errors of a coordinate in px, of the radius in px, and of a colour in 256ths.
    """
    most = max(FREEDOM.values())
    unknowns = float(np.mean([FREEDOM.get(classes[k], most) for k in labels]))
    place, radius, color = (max(error, 1e-3) for error in errors)
    look = np.log2(max(side / radius, 1)) + 3 * np.log2(max(256 / color, 1))
    return float(unknowns * np.log2(max(side / place, 1)) + look + np.log2(len(classes)))
