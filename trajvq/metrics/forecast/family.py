"""The forecast of the best-fitting motion family: the judge's fits to the places seen, followed further."""

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.projective import FREEDOM
from trajvq.io.arrays import Floats
from trajvq.metrics.judge import LOWEST, evaluate, fit_family


def forecast_best_family(context: Floats, frames: int, span: int, sigma: float) -> Floats:
    """Fit every family to the places seen, choose as the judge does, and return where the chosen one goes.

    The choice is by the Bayesian information criterion; fits with a pole on the way are left out.

    Args:
        context: ``(N, n, 2)`` places seen in the first frames, px; NaN where there is none.
        frames: M.
        span: Frames of the clips that the judge's bounds on turns are meant for.
        sigma: Noise of a coordinate in px, see `trajvq.metrics.judge.noise_of`.

    Returns:
        ``(N, frames, 2)`` px; NaN where nothing was seen.
    """
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(context).all(axis=-1))
    given, made = context.shape[1], np.full((len(context), frames, 2), np.nan)
    rows = np.flatnonzero(seen.any(axis=1))
    if not len(rows):
        return made
    time = np.arange(given + frames) / (span - 1)
    shown = np.pad(seen[rows].astype(float), ((0, 0), (0, frames)))
    tracks = np.pad(np.nan_to_num(context[rows]), ((0, 0), (0, frames), (0, 0)))
    middle = (tracks * shown[..., None]).sum(axis=1, keepdims=True) / shown.sum(axis=1)[:, None, None]
    centred = (tracks - middle) * shown[..., None]
    scale = np.abs(centred).max(axis=(1, 2), keepdims=True) + 1e-9
    best, number = np.full(len(rows), np.inf), np.arange(len(rows))
    sample = 2 * shown.sum(axis=1)
    for name, freedom in FREEDOM.items():
        square, unknowns = fit_family(centred / scale, shown, time, name)
        places, _, bottom = evaluate(name, time, unknowns)
        square = np.where(bottom > LOWEST, square, np.inf)
        start = square.argmin(axis=1)
        found = square[number, start] * scale[:, 0, 0] ** 2 / sigma**2 + freedom * np.log(sample)
        better = (found < best) | ((name == "linear") & ~np.isfinite(found))
        best = np.where(better, found, best)
        path = places[number, start, given:] * scale + middle
        made[rows[better]] = path[better]
    return made
