"""Forecast figures: how far predicted places are from the true ones, beside what anyone would try first.

N clips, n context frames given, M frames predicted.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.intervals import bootstrap, wilson
from trajvq.metrics.reconstruction.metric import MISSING

MISS = 2.0  # px of final error from which a forecast is a miss
LOST = np.nan


def forecast_figures(truth: Floats, valid: NDArray[np.bool_], predicted: Floats) -> dict[str, Any]:
    """Compare predicted places with the true ones; a missing one costs `MISSING` px, and none is left out.

    Args:
        truth: ``(N, M, 2)`` true places, px.
        valid: ``(N, M)`` frames in which the object can be seen.
        predicted: ``(N, M, 2)``; NaN where there is no object.

    Returns:
        ``ade``, ``fde`` (last frame that is valid), ``miss_2px`` and ``velocity_error`` (px a frame), the first
        three with intervals, and ``horizon``: the mean error of every frame.
    """
    error = np.linalg.norm(predicted - truth, axis=-1)
    error = np.where(np.isfinite(error), np.minimum(error, MISSING), MISSING)
    rows = valid.any(axis=1)
    error, valid, truth, predicted = error[rows], valid[rows], truth[rows], predicted[rows]
    mean = (error * valid).sum(axis=1) / valid.sum(axis=1)
    last = valid.shape[1] - 1 - valid[:, ::-1].argmax(axis=1)
    final = error[np.arange(len(error)), last]
    steps = np.linalg.norm(np.diff(predicted, axis=1) - np.diff(truth, axis=1), axis=-1)
    steps = np.where(np.isfinite(steps), np.minimum(steps, MISSING), MISSING)
    both = valid[:, 1:] & valid[:, :-1]
    seen = np.maximum(valid.sum(axis=0), 1)
    return {
        "ade": bootstrap(mean),
        "fde": bootstrap(final),
        "miss_2px": wilson(float((final > MISS).sum()), len(final)),
        "velocity_error": float(steps[both].mean()) if both.any() else 0.0,
        "horizon": ((error * valid).sum(axis=0) / seen).tolist(),
    }


def by_class(
    truth: Floats,
    valid: NDArray[np.bool_],
    predicted: Floats,
    label: NDArray[np.int64] | None,
    classes: Sequence[str],
    identifiable: NDArray[np.bool_] | None,
) -> dict[str, Any]:
    """Return `forecast_figures`, with the same ``per_class`` and, over clips whose class shows, ``ade_identifiable``.

    Args:
        truth: See `forecast_figures`.
        valid: See `forecast_figures`.
        predicted: See `forecast_figures`.
        label: ``(N,)`` classes; None where the dataset has none.
        classes: Their names.
        identifiable: bool ``(N,)``; None where the dataset does not say.
    """
    found = forecast_figures(truth, valid, predicted)
    if label is not None:
        rows = {name: (label == k) & valid.any(axis=1) for k, name in enumerate(classes)}
        found["per_class"] = {
            name: forecast_figures(truth[mine], valid[mine], predicted[mine])
            for name, mine in rows.items()
            if mine.any()
        }
    if identifiable is not None and (identifiable & valid.any(axis=1)).any():
        kept = forecast_figures(truth[identifiable], valid[identifiable], predicted[identifiable])
        found["ade_identifiable"] = kept["ade"]
    return found


def nearest_clip(context: Floats, frames: int, known: Floats) -> Floats:
    """Go on as the clip of a collection does that began most alike, both moved to where they are seen last.

    Args:
        context: ``(N, n, 2)`` places seen, px; NaN where there is none.
        frames: M.
        known: ``(K, T, 2)`` whole paths of other clips, at least n + M frames long.

    Returns:
        ``(N, frames, 2)``.
    """
    made = np.full((len(context), frames, 2), LOST)
    given = context.shape[1]
    for row, path in enumerate(context):
        seen = np.flatnonzero(np.isfinite(path).all(axis=-1))
        if len(seen):
            shift = path[seen[-1]] - known[:, seen[-1]]
            apart = np.square(known[:, seen] + shift[:, None] - path[seen]).sum(axis=(1, 2))
            best = int(np.nanargmin(apart))
            made[row] = known[best, given : given + frames] + shift[best]
    return made


def copy_last(context: Floats, frames: int) -> Floats:
    """Stay where the object was last seen. Takes ``(N, n, 2)``, returns ``(N, frames, 2)``."""
    return _polynomial(0, 1)(context, frames)


def _polynomial(degree: int, used: int | None = None) -> Callable[[Floats, int], Floats]:
    """Return a predictor that fits a polynomial to the last `used` places that were seen, by least squares."""

    def predict(context: Floats, frames: int) -> Floats:
        made = np.full((len(context), frames, 2), LOST)
        time = np.arange(context.shape[1])
        later = np.vander(np.arange(context.shape[1], context.shape[1] + frames), degree + 1)
        for row, path in enumerate(context):
            seen = np.flatnonzero(np.isfinite(path).all(axis=-1))[-(used or len(path)) :]
            if len(seen):
                order = min(degree, len(seen) - 1)
                fitted = np.linalg.lstsq(np.vander(time[seen], order + 1), path[seen], rcond=None)[0]
                made[row] = later[:, degree - order :] @ fitted
        return made

    return predict


def blank(context: Floats, frames: int) -> Floats:
    """See nothing. Takes ``(N, n, 2)``, returns ``(N, frames, 2)``."""
    return np.full((len(context), frames, 2), LOST)


# Rows that no forecast should lose to, from tracked places of the context.
SIMPLE: dict[str, Callable[[Floats, int], Floats]] = {
    "blank": blank,
    "copy_last": copy_last,
    "velocity_2_points": _polynomial(1, 2),
    "constant_velocity": _polynomial(1),
    "quadratic": _polynomial(2),
}
