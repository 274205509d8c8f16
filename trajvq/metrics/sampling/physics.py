"""Sampling figures: how well samples show the motion of their target class, judged by physics, without filtering."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.intervals import wilson
from trajvq.metrics.judge import NONE, Judge, confusion, fit_families
from trajvq.metrics.tracking import Tracks


def sample_figures(tracks: Tracks, target: NDArray[np.int64], judge: Judge, reference: Floats) -> dict[str, Any]:
    """Judge samples. A sample that fits no motion family matches no class.

    Args:
        tracks: Of N samples.
        target: ``(N,)`` classes that the samples were generated for.
        judge: Calibrated on tracked reconstructions of ``val``, which have the same noise as samples.
        reference: ``(classes,)`` median residuals of these reconstructions, px; see `reference_residuals`.

    Returns:
        ``class_match`` with its interval and ``class_match_per_class``; ``none``: share that fits no family;
        ``visible``: share of frames with exactly one object; ``physics_residual``: median over samples of the RMS
        residual under the target class, relative to ``reference`` (1 is as good as a reconstruction); and
        ``confusion`` of target and judged classes. ``class_match`` and ``physics_residual`` leave out classes that
        are no motion family; without any sample of a motion family, they are missing.
    """
    points = np.where((tracks.count == 1)[..., None], tracks.pixel[:, :, 0], np.nan)
    fits = fit_families(points, judge.classes)
    judged = judge.choose(fits)
    figures: dict[str, Any] = {
        "none": wilson(float((judged == NONE).sum()), len(target)),
        "visible": wilson(float((tracks.count == 1).mean()) * len(target), len(target)),
        "confusion": confusion(target, judged, len(judge.classes)).tolist(),
    }
    column = np.array([fits.families.index(name) if name in fits.families else NONE for name in judge.classes])
    rows = np.flatnonzero(column[target] != NONE)
    if not len(rows):
        return figures
    target, judged = target[rows], judged[rows]
    residual = fits.rms[rows, column[target]] / reference[target]
    per_class = {
        name: wilson(float((judged[target == k] == k).sum()), int((target == k).sum()))
        for k, name in enumerate(judge.classes)
        if (target == k).any()
    }
    return {
        "class_match": wilson(float((judged == target).sum()), len(target)),
        "class_match_per_class": per_class,
        "physics_residual": float(np.median(residual)),
        **figures,
    }


def reference_residuals(points: Floats, label: NDArray[np.int64], classes: tuple[str, ...]) -> Floats:
    """Return the median RMS residual of every class under its own motion family.

    Args:
        points: ``(N, T, 2)`` px; NaN where there is no object.
        label: ``(N,)``.
        classes: Names of the classes.

    Returns:
        ``(classes,)`` px; 1 for a class without clips and for one that is no motion family.
    """
    fits = fit_families(points, classes)
    reference = np.ones(len(classes))
    for k, name in enumerate(classes):
        rows = label == k
        if name in fits.families and rows.any():
            reference[k] = float(np.median(fits.rms[rows, fits.families.index(name)]))
    return reference
