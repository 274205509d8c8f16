"""Sampling figures: whether clips show the motion that was asked for, judged by physics and without a filter."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.intervals import wilson
from trajvq.metrics.judge import NONE, Judge, confusion, fit_families
from trajvq.metrics.tracking import Tracks


def sample_figures(seen: Tracks, asked: NDArray[np.int64], judge: Judge, usual: Floats) -> dict[str, Any]:
    """Judge samples; one that cannot be judged matches no class.

    Args:
        seen: What is seen in N samples.
        asked: ``(N,)`` classes that were asked for.
        judge: Calibrated on tracked reconstructions of ``val``, whose noise samples share.
        usual: ``(classes,)`` median RMS residual of tracked reconstructions under their own family, px.

    Returns:
        ``class_match`` with its interval, ``class_match_per_class``, ``none``, ``visible`` (frames with exactly one
        object), ``physics_residual`` (median over samples of the residual under the class asked for, over the usual
        one; 1 is as good as a reconstruction) and ``confusion``.
    """
    points = np.where((seen.count == 1)[..., None], seen.pixel, np.nan)
    fits = fit_families(points)
    judged = judge.choose(fits)
    names = [judge.classes[k] for k in asked]
    column = np.array([fits.families.index(name) if name in fits.families else 0 for name in names])
    residual = fits.rms[np.arange(len(asked)), column] / usual[asked]
    per_class = {
        name: wilson(float((judged[asked == k] == k).sum()), int((asked == k).sum()))
        for k, name in enumerate(judge.classes)
        if (asked == k).any()
    }
    return {
        "class_match": wilson(float((judged == asked).sum()), len(asked)),
        "class_match_per_class": per_class,
        "none": wilson(float((judged == NONE).sum()), len(asked)),
        "visible": wilson(float((seen.count == 1).mean()) * len(asked), len(asked)),
        "physics_residual": float(np.median(residual)),
        "confusion": confusion(asked, judged, len(judge.classes)).tolist(),
    }


def reference_residuals(points: Floats, labels: NDArray[np.int64], classes: tuple[str, ...]) -> Floats:
    """Return ``(classes,)`` median RMS residuals of ``(N, T, 2)`` points under their own family, px."""
    fits = fit_families(points)
    usual = np.ones(len(classes))
    for k, name in enumerate(classes):
        rows = labels == k
        if name in fits.families and rows.any():
            usual[k] = float(np.median(fits.rms[rows, fits.families.index(name)]))
    return usual
