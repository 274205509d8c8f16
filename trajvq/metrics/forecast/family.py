"""Forecast by the best-fitting motion family: fit every family to the context and extrapolate the chosen one."""

from collections.abc import Sequence

import numpy as np

from trajvq.data.synthetic.motion import FAMILIES, families_named
from trajvq.data.synthetic.projective import LOWEST, evaluate_ratio
from trajvq.io.arrays import Floats, shown_in
from trajvq.metrics.family_fits import fit_family


def forecast_best_family(
    context: Floats, frames: int, clip_frames: int, sigma: float, classes: Sequence[str]
) -> Floats:
    """Forecast with the motion family that fits the context best.

    The Bayesian information criterion chooses, as in `trajvq.metrics.judge`. Fits with a pole on the path are left out.

    Args:
        context: ``(N, n, 2)`` positions in the first n frames, px; NaN where there is none.
        frames: M, the number of frames to forecast.
        clip_frames: Frames of a clip, over which time goes from 0 to 1.
        sigma: Noise of a coordinate in px, see `trajvq.metrics.judge.noise_of`.
        classes: Names of the dataset's classes. The registered motion families among them are fitted; all of them if
            no class is a family, as in unlabeled clips.

    Returns:
        ``(N, M, 2)`` px; NaN for a clip without any position.
    """
    finite = shown_in(context)
    length, forecast = context.shape[1], np.full((len(context), frames, 2), np.nan)
    rows = np.flatnonzero(finite.any(axis=1))
    if not len(rows):
        return forecast
    time = np.arange(length + frames) / (clip_frames - 1)
    weight = np.pad(finite[rows].astype(float), ((0, 0), (0, frames)))
    tracks = np.pad(np.nan_to_num(context[rows]), ((0, 0), (0, frames), (0, 0)))
    middle = (tracks * weight[..., None]).sum(axis=1, keepdims=True) / weight.sum(axis=1)[:, None, None]
    centered = (tracks - middle) * weight[..., None]
    scale = np.abs(centered).max(axis=(1, 2), keepdims=True) + 1e-9
    best, numbers = np.full(len(rows), np.inf), np.arange(len(rows))
    count = 2 * weight.sum(axis=1)
    families = families_named(classes) or families_named(motion.name for motion in FAMILIES)
    for motion in families:
        square, unknowns = fit_family(centered / scale, weight, time, motion)
        position, _, denominator = evaluate_ratio(motion, time, unknowns)
        square = np.where(denominator > LOWEST, square, np.inf)
        start = square.argmin(axis=1)
        criterion = square[numbers, start] * scale[:, 0, 0] ** 2 / sigma**2 + motion.unknowns * np.log(count)
        better = criterion < best
        if motion is families[0]:
            better |= ~np.isfinite(criterion)  # the simplest family, where none is free of poles
        best = np.where(better, criterion, best)
        path = position[numbers, start, length:] * scale + middle
        forecast[rows[better]] = path[better]
    return forecast
