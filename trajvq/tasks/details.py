"""Single clips that sample and forecast keep for the report: the worst, and the first of the others.

N clips of T frames, n of context, M predicted, K kept.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajvq.data.storage.clips import Clips
from trajvq.io.arrays import Bytes, Floats, shown_in
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.details import ClipDetails, clip_facts, clips_to_keep
from trajvq.metrics.family_fits import fit_families, own_residuals
from trajvq.metrics.judge import Judge
from trajvq.metrics.reconstruction.objects import MISSING_ERROR
from trajvq.metrics.sampling.objects import Objects

JUDGED = 100  # samples of each class with figures of their own


def forecast_details(
    clips: Clips,
    tracks: Mapping[str, NDArray[Any]],
    index: NDArray[np.int64],
    context: int,
    predict: Callable[[Tensor, Tensor], Tensor],
) -> ClipDetails:
    """Return the error of every clip, and the worst and the first clips with their sampled tracks.

    Args:
        clips: The split.
        tracks: Of R objects: ``clip`` ``(R,)``, the numbers of their clips, ``truth`` ``(R, n + M, 2)`` px, ``valid``
            ``(R, n + M)``, ``model`` ``(R, M, 2)`` and, where there are samples, ``samples`` ``(R, S, M, 2)``.
        index: ``(N,)`` numbers of the clips.
        context: n.
        predict: From clips float ``(K, 3, T, H, W)`` and their numbers to clips of ``n + M`` frames.
    """
    of_objects = path_error(tracks["truth"][:, context:], tracks["model"], tracks["valid"][:, context:])
    members = [np.flatnonzero(tracks["clip"] == number) for number in index]
    error = np.stack([_mean_of_objects(of_objects[rows]) for rows in members])
    ade = np.concatenate([np.full((len(index), context), np.nan), error], axis=1)
    facts = clip_facts(clips.columns, index)
    facts = {name: value for name, value in facts.items() if value.ndim == 1 or value.shape == ade.shape}
    details = ClipDetails(index, {"ade": ade, "fde": last_finite(error)}, facts, classes=clips.manifest.classes)
    details.kept = rows = clips_to_keep(details.by_clip("ade"))
    target = clips.batch(index[rows].tolist())["video"]
    predicted = to_uint8(predict(to_float(target), torch.from_numpy(index[rows])))
    if predicted.shape == target.shape:
        predicted[:, :context] = target.numpy()[:, :context]
        details.clips["target"] = target.numpy()
    details.clips["prediction"] = predicted
    kept = [members[row] for row in rows]
    details.paths["truth"] = _side_by_side([tracks["truth"][each] for each in kept])
    details.paths["prediction"] = _side_by_side([_after_context(tracks["model"][each], context) for each in kept])
    if "samples" in tracks:
        samples = [tracks["samples"][each].reshape(-1, *tracks["model"].shape[1:]) for each in kept]
        details.paths["samples"] = _side_by_side([_after_context(paths, context) for paths in samples])
    return details


def _mean_of_objects(error: Floats) -> Floats:
    """Return the mean ``(M,)`` of errors ``(R, M)`` over objects, or of ``(R,)``; NaN where none is finite."""
    finite = np.isfinite(error)
    return np.where(finite.any(axis=0), np.nansum(error, axis=0) / np.maximum(finite.sum(axis=0), 1), np.nan)


def _side_by_side(paths: Sequence[Floats]) -> Floats:
    """Return paths ``(P, T, 2)`` of every clip as one array ``(K, P, T, 2)``, filled up with NaN."""
    most = max(len(each) for each in paths)
    return np.stack([np.pad(each, ((0, most - len(each)), (0, 0), (0, 0)), constant_values=np.nan) for each in paths])


def path_error(truth: Floats, predicted: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Return distances of predicted from true positions ``(N, M)`` px, at most 32; NaN in frames without truth."""
    return np.where(valid, np.fmin(np.linalg.norm(predicted - truth, axis=-1), MISSING_ERROR), np.nan)


def last_finite(error: Floats) -> Floats:
    """Return the last value of each row of ``(N, M)`` that is not NaN; NaN where there is none."""
    finite = np.isfinite(error)
    last = error.shape[1] - 1 - finite[:, ::-1].argmax(axis=1)
    return np.where(finite.any(axis=1), error[np.arange(len(error)), last], np.nan)


def _after_context(paths: Floats, context: int) -> Floats:
    """Return paths ``(..., M, 2)`` behind frames without positions."""
    return np.concatenate([np.full((*paths.shape[:-2], context, 2), np.nan), paths], axis=-2)


def sample_details(
    objects: Objects,
    target: NDArray[np.int64],
    classes: list[str],
    judge: Judge | None,
    decode: Callable[[NDArray[np.int64]], Bytes],
) -> ClipDetails:
    """Return how well samples fit the motion of their class, the worst of them and the first, with all their objects.

    Figures are means over the objects of a clip. Its ``answer`` is that of an object that the judge takes for another
    class, if there is one.

    Args:
        objects: Of the N samples, at least one of each.
        target: ``(N,)`` classes that the samples were generated for.
        classes: Their names.
        judge: None where the dataset has no truth to calibrate it on.
        decode: From rows of the N samples to clips uint8 ``(K, T, 3, H, W)``.
    """
    rows = np.sort(np.concatenate([np.flatnonzero(target == k)[:JUDGED] for k in np.unique(target)]))
    chosen = np.flatnonzero(np.isin(objects.clip, rows))
    paths, valid, clip = objects.pixel[chosen], objects.valid[chosen], objects.clip[chosen]
    members = [np.flatnonzero(clip == row) for row in rows]
    label = target[clip]
    unseen = (~shown_in(paths) & valid).sum(axis=1) / np.maximum(valid.sum(axis=1), 1)
    of_objects = {"unseen": unseen}
    facts: dict[str, NDArray[Any]] = {"label": target[rows]}
    if judge is not None:
        fits = fit_families(paths, classes, valid)
        answer = judge.choose(fits)
        facts["answer"] = np.array([answer[each[np.argmax(answer[each] != label[each])]] for each in members])
        misfit = np.minimum(own_residuals(fits, label, classes), MISSING_ERROR)
        judged = np.isfinite(misfit)
        if judged.any():
            wrong = np.where(judged, (answer != label).astype(float), np.nan)
            of_objects = {"misfit": misfit, "wrong": wrong, **of_objects}
    figures = {
        name: np.stack([_mean_of_objects(values[each]) for each in members]) for name, values in of_objects.items()
    }
    details = ClipDetails(rows, figures, facts, classes=classes)
    details.kept = clips_to_keep(next(iter(figures.values())))
    details.clips = {"sample": decode(rows[details.kept])}
    details.paths = {"tracked": _side_by_side([paths[members[row]] for row in details.kept])}
    return details
