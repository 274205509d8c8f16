"""Score anyone's predictions and samples: the motion in them, tracked and judged."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trajvq.data.imports.readers import class_names, read_collection
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import DataError
from trajvq.io.arrays import Floats
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.background import estimate_background
from trajvq.metrics.forecast.predictions import pictured, tracked_as
from trajvq.metrics.forecast.rows import Baselines, Paths
from trajvq.metrics.forecast.scoreboard import forecast_rows
from trajvq.metrics.judge import Judge, calibrate
from trajvq.metrics.reconstruction.metric import truth_of
from trajvq.metrics.sampling.physics import reference_residuals, sample_figures
from trajvq.metrics.submissions.reconstruction import BATCH, Submission
from trajvq.metrics.tracking import Tracks, track


def score_forecasts(path: Path, clips: Clips, context: int) -> dict[str, Any]:
    """Return the scoreboard of predictions, with every row of `trajvq.tasks.Forecast` that needs no tokens.

    Args:
        path: See `Submission`: whole clips, of which the frames before ``context`` are not looked at.
        clips: The split whose clips were continued; of others of its dataset, ``train`` and ``val`` are taken.
        context: Frames given.

    Raises:
        DataError: If nothing is left to predict.
    """
    if not 1 <= context < clips.shape[0]:
        raise DataError(
            f"{context} frames of context leave nothing of {clips.shape[0]}; give 1 to {clips.shape[0] - 1}"
        )
    parts = []
    for batch, made, _ in Submission(path, clips).batches():
        truth = truth_of(batch)
        found = {"truth": truth.pixel, "valid": truth.valid, "tracked": tracked_as(truth, truth.video).pixel}
        found |= {name: batch[name].numpy() for name in ("label", "identifiable") if name in batch}
        parts.append(found | pictured(truth, to_uint8(made), truth.pixel, context))
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows, _ = forecast_rows(_ladder(clips), clips.split, whole, context)
    return {"clips": len(clips), "truth": "stored" if "pixel" in clips.columns else "tracked", "rows": rows}


def _ladder(clips: Clips) -> Baselines:
    """Return what the rows know: true paths of ``train``, and on ``val`` how noisy tracking is."""
    manifest, known, val = clips.manifest, np.zeros((0, 0, 2)), None
    train = Clips(clips.folder, "train").columns if "train" in manifest.splits else {}
    if "pixel" in train:
        known = train["pixel"].numpy().astype(np.float64)
    if "val" in manifest.splits:
        seen = [truth_of(batch | {"video": _pixels(batch)}) for batch in Clips(clips.folder, "val").loader(BATCH)]
        parts = [(one.pixel, one.valid, tracked_as(one, one.video).pixel) for one in seen]
        truth, valid, tracked = (np.concatenate(part) for part in zip(*parts, strict=True))
        val = Paths(truth, valid, tracked, reconstructed=None)
    size = (manifest.height, manifest.width)
    return Baselines(known, val, tuple(manifest.classes), manifest.ranges, size, manifest.frames)


def _pixels(batch: dict[str, Tensor]) -> Tensor:
    return to_float(batch["video"])


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
        truth = truth_of(batch | {"video": _pixels(batch)})
        video = truth.video if given is None else given.answers(batch["index"].tolist())
        true.append(truth.pixel)
        seen.append(tracked_as(truth, video).pixel)
    points, label = np.concatenate(seen), clips.columns["label"].numpy()
    classes = tuple(clips.manifest.classes)
    return calibrate(points, np.concatenate(true), label, classes), reference_residuals(points, label, classes)


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
        ground = to_uint8(estimate_background(to_float(torch.from_numpy(made))))
        seen.append(track(made, ground))
    together = Tracks(*(np.concatenate([getattr(part, name) for part in seen]) for name in Tracks.__annotations__))
    rows = {
        "classes_rotated": sample_figures(together, (asked + 1) % len(classes), judge, usual),
        "model": sample_figures(together, asked, judge, usual),
    }
    return {"clips": len(videos), "truth": "judged", "judge": judge.as_json(), "rows": rows}
