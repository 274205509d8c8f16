"""Score forecasts of any program by the motion in them."""

from pathlib import Path
from typing import Any

import numpy as np

from trajvq.data.storage.clips import Clips
from trajvq.errors import DataError
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.forecast.baselines import Baselines, Paths
from trajvq.metrics.forecast.predictions import picture_figures, track_against
from trajvq.metrics.forecast.scoreboard import forecast_rows
from trajvq.metrics.reconstruction.truth import truth_of
from trajvq.metrics.submissions.submission import BATCH, Submission


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
