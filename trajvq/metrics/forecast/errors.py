"""Forecast figures of one predicted path an object, and the simple predictors that every forecast is compared with.

N objects, n frames of context, M predicted frames.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats, shown_in
from trajvq.metrics.intervals import bootstrap_objects, rate_of_objects
from trajvq.metrics.reconstruction.objects import MISSING_ERROR

MISS_DISTANCE = 2.0  # px, the final error above which a forecast is a miss


def forecast_figures(
    truth: Floats, valid: NDArray[np.bool_], predicted: Floats, clip: NDArray[np.int64]
) -> dict[str, Any]:
    """Compare predicted with true positions. A missing object counts as `MISSING_ERROR` px; none is left out.

    Args:
        truth: ``(N, M, 2)`` true positions, px.
        valid: ``(N, M)`` frames in which the object is visible; others are ignored.
        predicted: ``(N, M, 2)`` px; NaN where no object is predicted.
        clip: ``(N,)`` numbers of their clips, which intervals are over.

    Returns:
        ``ade`` (average displacement error, px), ``fde`` (of the last valid frame) and ``miss_2px`` (share of objects
        with an ``fde`` over 2 px), each with its interval; ``horizon``, the mean error of every frame, None where no
        object is valid; and, where two frames in a row are valid, ``velocity_error``, px a frame. Empty if no frame is
        valid.
    """
    if not valid.any():
        return {}
    error = np.fmin(np.linalg.norm(predicted - truth, axis=-1), MISSING_ERROR)  # also where it is NaN
    rows = valid.any(axis=1)
    error, valid, truth, predicted, clip = error[rows], valid[rows], truth[rows], predicted[rows], clip[rows]
    mean = (error * valid).sum(axis=1) / valid.sum(axis=1)
    last = valid.shape[1] - 1 - valid[:, ::-1].argmax(axis=1)
    final = error[np.arange(len(error)), last]
    steps = np.fmin(np.linalg.norm(np.diff(predicted, axis=1) - np.diff(truth, axis=1), axis=-1), MISSING_ERROR)
    both = valid[:, 1:] & valid[:, :-1]
    figures: dict[str, Any] = {
        "ade": bootstrap_objects(mean, clip),
        "fde": bootstrap_objects(final, clip),
        "miss_2px": rate_of_objects(final > MISS_DISTANCE, clip),
        "horizon": [
            float(errors[present].mean()) if present.any() else None
            for errors, present in zip(error.T, valid.T, strict=True)
        ],
    }
    return figures | ({"velocity_error": float(steps[both].mean())} if both.any() else {})


def points_of(horizon: Sequence[float | None]) -> tuple[list[int], list[float]]:
    """Return the frames after the context, from 1 on, in which ``horizon`` has an error, and these errors."""
    points = [(frame, error) for frame, error in enumerate(horizon, 1) if error is not None]
    return [frame for frame, _ in points], [error for _, error in points]


def forecast_figures_by_class(
    truth: Floats,
    valid: NDArray[np.bool_],
    predicted: Floats,
    clip: NDArray[np.int64],
    label: NDArray[np.int64] | None,
    classes: Sequence[str],
    identifiable: NDArray[np.bool_] | None,
) -> dict[str, Any]:
    """Return `forecast_figures` with the same figures ``per_class`` and ``ade_identifiable``.

    Args:
        truth: See `forecast_figures`.
        valid: See `forecast_figures`.
        predicted: See `forecast_figures`.
        clip: See `forecast_figures`.
        label: ``(N,)`` classes of their clips; None for a dataset without labels.
        classes: Names of the classes.
        identifiable: bool ``(N,)``: objects whose motion determines their class; None for a dataset without the column.
    """
    figures = forecast_figures(truth, valid, predicted, clip)
    if label is not None and figures:
        rows = {name: (label == k) & valid.any(axis=1) for k, name in enumerate(classes)}
        figures["per_class"] = {
            name: forecast_figures(truth[members], valid[members], predicted[members], clip[members])
            for name, members in rows.items()
            if members.any()
        }
    if identifiable is not None and (identifiable & valid.any(axis=1)).any():
        subset = forecast_figures(truth[identifiable], valid[identifiable], predicted[identifiable], clip[identifiable])
        figures["ade_identifiable"] = subset["ade"]
    return figures


def _polynomial(degree: int, points: int | None = None) -> Callable[[Floats, int], Floats]:
    """Return a predictor that fits a polynomial by least squares to the last ``points`` positions; None for all."""

    def predict(context: Floats, frames: int) -> Floats:
        predicted = np.full((len(context), frames, 2), np.nan)
        time = np.arange(context.shape[1])
        later = np.vander(np.arange(context.shape[1], context.shape[1] + frames), degree + 1)
        for row, path in enumerate(context):
            times = np.flatnonzero(shown_in(path))[-(points or len(path)) :]
            if len(times):
                order = min(degree, len(times) - 1)
                coefficients = np.linalg.lstsq(np.vander(time[times], order + 1), path[times], rcond=None)[0]
                predicted[row] = later[:, degree - order :] @ coefficients
        return predicted

    return predict


# Predictors from tracked positions of the context, by the name of their row.
PATH_PREDICTORS: dict[str, Callable[[Floats, int], Floats]] = {
    "velocity_2_points": _polynomial(1, 2),
    "constant_velocity": _polynomial(1),
    "quadratic": _polynomial(2),
}
