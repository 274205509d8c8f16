"""Score forecasts and samples of any program by the motion in them, tracked and judged."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from trajvq.data.imports.labels import match_classes
from trajvq.data.storage.clips import Clips
from trajvq.errors import DataError
from trajvq.io.arrays import Floats
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.forecast.baselines import Baselines, Paths
from trajvq.metrics.forecast.predictions import picture_figures, track_against
from trajvq.metrics.forecast.scoreboard import forecast_rows
from trajvq.metrics.judge import Judge, calibrate
from trajvq.metrics.reconstruction.truth import truth_of
from trajvq.metrics.sampling.physics import reference_residuals, sample_figures
from trajvq.metrics.submissions.submission import BATCH, ClampedLevels, Submission, read_videos
from trajvq.metrics.tracking import Tracks, join_tracks, track_clips


def score_forecasts(path: Path, clips: Clips, context: int) -> dict[str, Any]:
    """Return the scoreboard of forecasts, with every row of `trajvq.tasks.Forecast` that needs no tokens.

    Args:
        path: Complete clips; see `Submission`. The frames of the context are ignored.
        clips: The split whose clips are forecast. Baselines use ``train`` and ``val`` of its dataset.
        context: Frames of context.

    Raises:
        DataError: If the context leaves no frame to predict.
    """
    if not 1 <= context < clips.shape[0]:
        raise DataError(
            f"{context} frames of context leave nothing of {clips.shape[0]}; give 1 to {clips.shape[0] - 1}"
        )
    parts, submission = [], Submission(path, clips)
    for batch, forecast, _ in submission.batches():
        truth = truth_of(batch)
        arrays = {"truth": truth.pixel[:, :, 0], "valid": truth.valid[:, :, 0]}
        arrays["tracked"] = track_against(truth, truth.video).pixel[:, :, 0]
        if "label" in batch:
            arrays["label"] = batch["label"].numpy()
        if "identifiable" in batch:
            arrays["identifiable"] = batch["identifiable"][:, 0].numpy()
        parts.append(arrays | picture_figures(truth, to_uint8(forecast), truth.pixel[:, :, 0], context))
    predictions = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows, _ = forecast_rows(_baselines(clips), clips.split, predictions, context)
    truth_source = "stored" if "pixel" in clips.columns else "tracked"
    return {"clips": len(clips), "truth": truth_source, "rows": rows, "remarks": submission.remarks()}


def _baselines(clips: Clips) -> Baselines:
    """Return the baselines of a dataset: true paths of ``train``, and the tracker's noise on ``val``."""
    manifest, train_paths, val = clips.manifest, np.zeros((0, 0, 2)), None
    train = Clips(clips.folder, "train").columns if "train" in manifest.splits else {}
    if "pixel" in train:
        train_paths = train["pixel"][:, :, 0].numpy().astype(np.float64)
    if "val" in manifest.splits:
        loader = Clips(clips.folder, "val").loader(BATCH)
        truths = [truth_of(batch | {"video": to_float(batch["video"])}) for batch in loader]
        parts = [
            (truth.pixel[:, :, 0], truth.valid[:, :, 0], track_against(truth, truth.video).pixel[:, :, 0])
            for truth in truths
        ]
        pixel, valid, tracked = (np.concatenate(part) for part in zip(*parts, strict=True))
        val = Paths(pixel, valid, tracked, reconstructed=None)
    size = (manifest.height, manifest.width)
    return Baselines(train_paths, val, tuple(manifest.classes), manifest.ranges, size, manifest.frames)


def calibrated_judge(clips: Clips, reconstructed: Path | None) -> tuple[Judge, Floats]:
    """Calibrate a judge on a split with true positions; also return the residuals of `reference_residuals`.

    Args:
        clips: ``val``.
        reconstructed: Its clips reconstructed by a tokenizer, so that the judge expects the noise of samples from this
            tokenizer; None calibrates on the clips themselves.

    Raises:
        DataError: If the split has no true positions or classes.
    """
    if "pixel" not in clips.columns or "label" not in clips.columns:
        raise DataError(f"{clips.folder} has no true positions and classes, which calibrate the judge")
    true, tracked = [], []
    submission = Submission(reconstructed, clips) if reconstructed else None
    for batch in clips.loader(BATCH):
        truth = truth_of(batch | {"video": to_float(batch["video"])})
        video = truth.video if submission is None else submission.clips_for(batch["index"].tolist())
        true.append(truth.pixel[:, :, 0])
        tracked.append(track_against(truth, video).pixel[:, :, 0])
    points, label = np.concatenate(tracked), clips.columns["label"].numpy()
    classes = tuple(clips.manifest.classes)
    return calibrate(points, np.concatenate(true), label, classes), reference_residuals(points, label, classes)


def score_samples(path: Path, val: Clips, reconstructed: Path | None = None) -> dict[str, Any]:
    """Return the scoreboard of samples, with a row of the same clips whose classes are rotated.

    Args:
        path: ``.npz`` or ``.h5`` with ``video`` and ``label``, the target class by number or name.
        val: Split that calibrates the judge.
        reconstructed: See `calibrated_judge`.

    Raises:
        DataError: If clips differ in size, or a label is no class of the dataset.
    """
    levels = ClampedLevels()
    videos = read_videos(path, levels)
    classes = val.manifest.classes
    target = match_classes([video.label for video in videos], classes, str(path))
    judge, reference = calibrated_judge(val, reconstructed)
    parts: list[Tracks] = []
    for first in range(0, len(videos), BATCH):
        clips = [video.read() for video in videos[first : first + BATCH]]
        if len({clip.shape for clip in clips}) > 1:
            raise DataError(f"{path}: clips differ in frames or size; give all the same shape")
        batch = torch.from_numpy(np.stack(clips).transpose(0, 1, 4, 2, 3))
        parts.append(track_clips(to_float(batch)))
    tracks = join_tracks(parts)
    rows = {
        "classes_rotated": sample_figures(tracks, (target + 1) % len(classes), judge, reference),
        "model": sample_figures(tracks, target, judge, reference),
    }
    board = {"clips": len(videos), "truth": "judged", "judge": judge.as_json(), "rows": rows}
    return board | {"remarks": levels.remarks()}
