"""What sample and forecast keep of single clips for the report: the worst, and the first of the others.

N clips of T frames, n of them given, M predicted, K kept.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajvq.data.storage.clips import Clips
from trajvq.io.arrays import Floats
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.details import ClipDetails, clip_facts, clips_to_show
from trajvq.metrics.judge import Judge, fit_families
from trajvq.metrics.reconstruction.metric import MISSING

JUDGED = 100  # samples of each class that are looked at one by one


def forecast_details(
    clips: Clips,
    places: Mapping[str, NDArray[Any]],
    index: NDArray[np.int64],
    given: int,
    go_on: Callable[[Tensor, Tensor], Tensor],
) -> ClipDetails:
    """Return the error of every clip, and the worst and the first clips with their fans.

    Args:
        clips: The split.
        places: ``truth`` ``(N, n + M, 2)`` px, ``valid`` ``(N, n + M)``, ``model`` ``(N, M, 2)`` and perhaps
            ``samples`` ``(N, S, M, 2)``.
        index: ``(N,)`` numbers of the clips.
        given: n.
        go_on: From clips float ``(K, 3, T, H, W)`` and their numbers to the same with ``n + M`` frames.
    """
    error = path_error(places["truth"][:, given:], places["model"], places["valid"][:, given:])
    ade = np.concatenate([np.full((len(index), given), np.nan), error], axis=1)
    facts = clip_facts(clips.columns, index)
    facts = {name: value for name, value in facts.items() if value.ndim == 1 or value.shape == ade.shape}
    details = ClipDetails(index, {"ade": ade, "fde": last_of(error)}, facts, classes=clips.manifest.classes)
    details.shown = rows = clips_to_show(details.by_clip("ade"))
    shown = clips.batch(index[rows].tolist())["video"]
    made = to_uint8(go_on(to_float(shown), torch.from_numpy(index[rows])))
    if made.shape == shown.shape:
        made[:, :given] = shown.numpy()[:, :given]
        details.clips["target"] = shown.numpy()
    details.clips["prediction"] = made
    details.paths["truth"] = places["truth"][rows]
    details.paths["prediction"] = _later(places["model"][rows], given)
    if "samples" in places:
        details.paths["guesses"] = _later(places["samples"][rows], given)
    return details


def path_error(truth: Floats, predicted: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Return distances of predicted from true places ``(N, M)`` px, at most 32; NaN where nothing is charged."""
    error = np.linalg.norm(predicted - truth, axis=-1)
    return np.where(valid, np.where(np.isfinite(error), np.minimum(error, MISSING), MISSING), np.nan)


def last_of(error: Floats) -> Floats:
    """Return the last value of each row of ``(N, M)`` that is not NaN; NaN where there is none."""
    known = np.isfinite(error)
    last = error.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    return np.where(known.any(axis=1), error[np.arange(len(error)), last], np.nan)


def _later(paths: Floats, given: int) -> Floats:
    """Put frames without places before ``(..., M, 2)``."""
    return np.concatenate([np.full((*paths.shape[:-2], given, 2), np.nan), paths], axis=-2)


def sample_details(
    points: Floats,
    asked: NDArray[np.int64],
    classes: list[str],
    judge: Judge | None,
    decode: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
) -> ClipDetails:
    """Return how well samples fit the motion asked for, and those that fit it worst and the first ones.

    Args:
        points: ``(N, T, 2)`` px where exactly one object is seen, else NaN.
        asked: ``(N,)`` classes.
        classes: Their names.
        judge: None where the dataset has no truth to calibrate it on.
        decode: From rows of the N samples to clips uint8 ``(K, T, 3, H, W)``.
    """
    chosen = [np.flatnonzero(asked == k)[:JUDGED] for k in np.unique(asked)]
    rows = np.sort(np.concatenate(chosen))
    seen, label = points[rows], asked[rows]
    figures = {"unseen": 1 - np.isfinite(seen).all(axis=-1).mean(axis=1)}
    facts: dict[str, NDArray[Any]] = {"label": label}
    if judge is not None:
        fits = fit_families(seen)
        column = [fits.families.index(classes[k]) if classes[k] in fits.families else 0 for k in label]
        misfit = fits.rms[np.arange(len(rows)), column]
        misfit = np.where(np.isfinite(misfit), np.minimum(misfit, MISSING), MISSING)
        facts["answer"] = judge.choose(fits)
        figures = {"misfit": misfit, "wrong": (facts["answer"] != label).astype(float), **figures}
    details = ClipDetails(rows, figures, facts, classes=classes)
    details.shown = clips_to_show(next(iter(figures.values())))
    details.clips = {"sample": decode(rows[details.shown])}
    details.paths = {"tracked": seen[details.shown]}
    return details
