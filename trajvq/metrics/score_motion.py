"""Score anyone's predictions and samples: the motion in them, tracked and judged."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trajvq.data.clips import Clips
from trajvq.data.ranges import Floats
from trajvq.data.readers import class_names, read_collection
from trajvq.data.store import DataError
from trajvq.metrics.background import estimate_background
from trajvq.metrics.forecast import SIMPLE, forecast_figures
from trajvq.metrics.judge import Judge, calibrate
from trajvq.metrics.reconstruction import NEAR, Truth, as_bytes, truth_of
from trajvq.metrics.sampling import sample_figures, usual_residuals
from trajvq.metrics.score import BATCH, Submission
from trajvq.metrics.tracking import Tracks, track


def _tracked(truth: Truth, video: NDArray[np.uint8]) -> Tracks:
    return track(video, truth.background, truth.contrast, np.pi * truth.radius**2)


def score_forecasts(path: Path, clips: Clips, context: int) -> dict[str, Any]:
    """Return the scoreboard of predictions: whole clips of which the first frames were given.

    Args:
        path: See `Submission`; frames before ``context`` are not looked at.
        clips: The split whose clips were continued.
        context: Frames given.

    Raises:
        DataError: If the split has no true places, or nothing is left to predict.
    """
    if "pixel" not in clips.columns:
        raise DataError(f"{clips.folder} has no true places (`pixel`), which forecasts are measured against")
    if not 1 <= context < clips.shape[0]:
        raise DataError(
            f"{context} frames of context leave nothing of {clips.shape[0]}; give 1 to {clips.shape[0] - 1}"
        )
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ("truth", "charged", "model", "visible", *SIMPLE)}
    for batch, made, _ in Submission(path, clips).batches():
        truth = truth_of(batch)
        seen, given = _tracked(truth, as_bytes(made)), _tracked(truth, truth.video).pixel[:, :context]
        ahead = slice(context, None)
        near = np.linalg.norm(np.nan_to_num(seen.pixel, nan=np.inf) - truth.pixel, axis=-1) <= NEAR
        parts["truth"].append(truth.pixel[:, ahead])
        parts["charged"].append(truth.charged[:, ahead])
        parts["model"].append(seen.pixel[:, ahead])
        parts["visible"].append(((seen.count == 1) & near)[:, ahead])
        for name, predict in SIMPLE.items():
            parts[name].append(predict(given, clips.shape[0] - context))
    whole = {name: np.concatenate(of) for name, of in parts.items()}
    charged = whole["charged"].astype(bool)
    rows = {name: forecast_figures(whole["truth"], charged, whole[name]) for name in (*SIMPLE, "model")}
    rows["model"]["visible"] = float(whole["visible"][charged].mean())
    return {"clips": len(clips), "truth": "stored", "rows": rows}


def judge_of(clips: Clips, reconstructed: Path | None) -> tuple[Judge, Floats]:
    """Calibrate a judge on a split with true places; returns it and the usual residual of every class.

    Args:
        clips: ``val``.
        reconstructed: Its clips as a tokenizer gives them back, whose noise samples from its tokens share; None
            takes the clips themselves.
    """
    if "pixel" not in clips.columns or "label" not in clips.columns:
        raise DataError(f"{clips.folder} has no true places and classes, which the judge is calibrated on")
    true, seen = [], []
    given = Submission(reconstructed, clips) if reconstructed else None
    for batch in clips.loader(BATCH):
        truth = truth_of(batch | {"video": batch["video"].transpose(1, 2).float() / 255})
        video = truth.video if given is None else given.answers(batch["index"].tolist())
        true.append(truth.pixel)
        seen.append(_tracked(truth, video).pixel)
    points, label = np.concatenate(seen), clips.columns["label"].numpy()
    classes = tuple(clips.manifest.classes)
    return calibrate(points, np.concatenate(true), label, classes), usual_residuals(points, label, classes)


def score_samples(path: Path, val: Clips, reconstructed: Path | None = None) -> dict[str, Any]:
    """Return the scoreboard of samples, beside the same clips with their classes in another order.

    Args:
        path: ``.npz`` or ``.h5`` with ``video`` and ``label``: the class asked for, a number or a name.
        val: Split that calibrates the judge.
        reconstructed: See `judge_of`.
    """
    videos = read_collection(path).videos
    classes = val.manifest.classes
    asked = class_names([video.label for video in videos], classes, str(path))
    judge, usual = judge_of(val, reconstructed)
    seen: list[Tracks] = []
    for first in range(0, len(videos), BATCH):
        read = [video.read() for video in videos[first : first + BATCH]]
        if len({clip.shape for clip in read}) > 1:
            raise DataError(f"{path}: clips differ in frames or size; make them alike")
        made = np.stack(read).transpose(0, 1, 4, 2, 3)
        ground = as_bytes(estimate_background(torch.from_numpy(made).transpose(1, 2).float() / 255))
        seen.append(track(made, ground))
    together = Tracks(*(np.concatenate([getattr(part, name) for part in seen]) for name in Tracks.__annotations__))
    rows = {
        "classes_rotated": sample_figures(together, (asked + 1) % len(classes), judge, usual),
        "model": sample_figures(together, asked, judge, usual),
    }
    return {"clips": len(videos), "truth": "judged", "judge": judge.as_json(), "rows": rows}
