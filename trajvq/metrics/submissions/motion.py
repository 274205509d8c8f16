"""Score forecasts of any program by the motion in them."""

from pathlib import Path
from typing import Any

import numpy as np

from trajvq.data.storage.clips import Clips
from trajvq.errors import DataError
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.forecast.baselines import Baselines, calibration_paths
from trajvq.metrics.forecast.frames import continue_frames
from trajvq.metrics.forecast.objects import Objects, identities, labels_of, paths_of
from trajvq.metrics.forecast.predictions import compare_frames, tracked_objects
from trajvq.metrics.forecast.scoreboard import forecast_remarks, forecast_rows
from trajvq.metrics.reconstruction.truth import background_of, truth_of
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
        truth, first = truth_of(batch), batch["video"][:, :, :context]
        positions, valid = identities(truth)
        rows = continue_frames(first, background_of(batch | {"video": first}), clips.shape[0] - context)
        rows["model"] = to_uint8(forecast[:, :, context:])
        objects = Objects.in_context(valid, context)
        arrays = {"tracked": objects.take(tracked_objects(truth, positions, truth.video)), **labels_of(objects, batch)}
        number = batch["index"].numpy()
        parts.append(arrays | compare_frames(truth, positions, valid, rows, context, number))
    predictions = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    baselines = _baselines(clips)
    board, _ = forecast_rows(baselines, clips.split, predictions, context)
    remarks = [*forecast_remarks(baselines, predictions, context), *submission.remarks()]
    truth_is = "stored" if "pixel" in clips.columns else "tracked"
    frames = {"context": context, "horizon": clips.shape[0] - context}
    return {"clips": len(clips), "truth": truth_is, **frames, "rows": board, "remarks": remarks}


def _baselines(clips: Clips) -> Baselines:
    """Return the baselines of a dataset: true paths of ``train``, and the tracker's noise on ``val``."""
    manifest, train_paths, val = clips.manifest, np.zeros((0, 0, 2)), None
    if "train" in manifest.splits:
        train_paths = paths_of(Clips(clips.folder, "train"))
    if "val" in manifest.splits:
        batches = Clips(clips.folder, "val").loader(BATCH)
        truths = (truth_of(batch | {"video": to_float(batch["video"])}) for batch in batches)
        val = calibration_paths((truth, [truth.video]) for truth in truths)
    size = (manifest.height, manifest.width)
    return Baselines(train_paths, val, tuple(manifest.classes), manifest.ranges, size, manifest.frames)
