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
from trajvq.metrics.forecast.frames import continue_frames
from trajvq.metrics.forecast.objects import Objects, identities, labels_of, paths_of
from trajvq.metrics.forecast.predictions import compare_frames, track_against, tracked_objects
from trajvq.metrics.forecast.scoreboard import forecast_remarks, forecast_rows
from trajvq.metrics.judge import Judge, calibrate
from trajvq.metrics.reconstruction.truth import background_of, truth_of
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
        truth, first = truth_of(batch), batch["video"][:, :, :context]
        positions, valid = identities(truth)
        rows = continue_frames(first, background_of(batch | {"video": first}), clips.shape[0] - context)
        rows["model"] = to_uint8(forecast[:, :, context:])
        objects = Objects.in_context(positions, context)
        arrays = {"tracked": objects.take(tracked_objects(truth, positions, truth.video)), **labels_of(objects, batch)}
        number = batch["index"].numpy()
        parts.append(arrays | compare_frames(truth, positions, valid, rows, context, number))
    predictions = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    board, _ = forecast_rows(_baselines(clips), clips.split, predictions, context)
    remarks = [*forecast_remarks(predictions, context), *submission.remarks()]
    truth_is = "stored" if "pixel" in clips.columns else "tracked"
    return {"clips": len(clips), "truth": truth_is, "rows": board, "remarks": remarks}


def _baselines(clips: Clips) -> Baselines:
    """Return the baselines of a dataset: true paths of ``train``, and the tracker's noise on ``val``."""
    manifest, train_paths, val = clips.manifest, np.zeros((0, 0, 2)), None
    if "train" in manifest.splits:
        train_paths = paths_of(Clips(clips.folder, "train"))
    if "val" in manifest.splits:
        parts = []
        for batch in Clips(clips.folder, "val").loader(BATCH):
            truth = truth_of(batch | {"video": to_float(batch["video"])})
            positions, valid = identities(truth)
            objects = Objects.in_context(positions, positions.shape[1])
            arrays = (positions, valid, tracked_objects(truth, positions, truth.video))
            parts.append([objects.take(array) for array in arrays])
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
