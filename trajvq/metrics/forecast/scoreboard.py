"""The rows of a forecast's scoreboard: the baselines, the model, its samples and its error budget."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.forecast.baselines import Baselines, Paths
from trajvq.metrics.forecast.budget import error_budget
from trajvq.metrics.forecast.errors import forecast_figures_by_class
from trajvq.metrics.forecast.predictions import FRAME_ROWS, OBJECT_SUMS, PICTURE
from trajvq.metrics.forecast.samples import median_path, sample_forecast_figures
from trajvq.metrics.intervals import bootstrap_ratio, wilson
from trajvq.metrics.reconstruction.metric import psnr_interval
from trajvq.metrics.reconstruction.ssim import LEFT_OUT, WINDOW

LAST_ROWS = ("tokenizer", "samples_middle", "model")


def pad_or_cut(array: NDArray[Any], frames: int, fill: float = np.nan) -> NDArray[Any]:
    """Return ``(N, T, ...)`` with ``frames`` frames: the first ones, followed by ``fill`` where there are too few."""
    missing = max(frames - array.shape[1], 0)
    padding = [(0, 0), (0, missing), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array[:, :frames], padding, constant_values=fill)


def forecast_rows(
    baselines: Baselines, split: str, predictions: Mapping[str, NDArray[Any]], context: int
) -> tuple[dict[str, dict[str, Any]], dict[str, Floats]]:
    """Return the figures of every row, the model's last, and the predicted positions ``(R, M, 2)`` of R objects.

    Figures of objects are left out if none is in a predicted frame; `forecast_remarks` says so.

    Args:
        baselines: Of the dataset.
        split: Name of the split.
        predictions: Arrays as of `trajvq.metrics.forecast.predictions.ForecastPredictions`. Rows of ``reconstructed``
            and ``samples`` are left out without these.
        context: Frames of context.
    """
    paths = Paths(
        predictions["truth"].astype(np.float64),
        predictions["valid"],
        predictions["tracked"].astype(np.float64),
        predictions["reconstructed"].astype(np.float64) if "reconstructed" in predictions else None,
        predictions.get("label"),
        predictions.get("identifiable"),
    )
    samples = predictions["samples"].astype(np.float64) if "samples" in predictions else None
    truth, valid = paths.truth[:, context:], paths.valid[:, context:]
    horizon, clip = truth.shape[1], predictions["clip"]
    tracked = {row: predictions[f"{row}/pixel"] for row in FRAME_ROWS if f"{row}/pixel" in predictions}
    positions = {row: tracked[row] for row in tracked if row not in LAST_ROWS}
    positions |= baselines.predictions(split, paths, context, horizon)
    if samples is not None:
        tracked["samples_middle"] = median_path(samples)
    positions |= {row: tracked[row] for row in LAST_ROWS if row in tracked}
    rows = {
        name: forecast_figures_by_class(
            truth, valid, predicted, clip, paths.label, baselines.classes, paths.identifiable
        )
        | _frame_figures(predictions, name, valid)
        for name, predicted in positions.items()
    }
    if samples is not None:
        rows["model"] |= sample_forecast_figures(truth, valid, samples, clip)
    visible = valid.all(axis=1)
    if paths.reconstructed is not None and context + horizon <= baselines.frames and visible.any():
        steps = (truth, paths.tracked[:, context:], paths.reconstructed[:, context:], positions["model"])
        rows["model"]["budget"] = error_budget(*(step[visible] for step in steps))
    return rows, positions


def forecast_remarks(baselines: Baselines, predictions: Mapping[str, NDArray[Any]], context: int) -> list[str]:
    """Return what a scoreboard leaves out, a line each.

    Args:
        baselines: Of the dataset.
        predictions: See `forecast_rows`.
        context: Frames of context.
    """
    valid, remarks = predictions["valid"], []
    later = int(predictions["later"].sum()) if "later" in predictions else 0
    if not valid[:, context:].any():
        remarks.append(
            f"ade and all other figures of objects are left out: no clip has an object both in the {context} frames of "
            "its context and after them"
        )
    if later:
        remarks.append(f"{later} objects that are visible in no frame of their context are not charged")
    if "samples" in predictions and predictions["samples"].shape[1] < 2:
        remarks.append("energy_score and calibration are left out: a single sample of each clip has no variety")
    if min(baselines.size) < WINDOW:
        remarks.append(LEFT_OUT)
    if baselines.several_objects:
        remarks.append("true_family_* are left out: the oracle knows the camera of a single object, not of several")
    return remarks


def _frame_figures(predictions: Mapping[str, NDArray[Any]], row: str, valid: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the figures of a row's predicted frames; none for a row without frames.

    ``visible`` is that of objects in valid frames ``(R, M)``, and ``object_psnr`` that of frames with any; ``mse``,
    ``psnr`` and, where frames are large enough, ``ssim`` are those of all frames that the clips have. All have
    intervals over clips.
    """
    if f"{row}/visible" not in predictions:
        return {}
    columns = {name: predictions[f"{row}/{name}"].astype(np.float64) for name in ("visible", *OBJECT_SUMS, *PICTURE)}
    figures: dict[str, Any] = {}
    stored = np.isfinite(columns["square_error"])
    if stored.any():
        frames = stored.sum(axis=1).astype(np.float64)
        mse, similarity = (
            bootstrap_ratio(np.where(stored, columns[name], 0.0).sum(axis=1), frames)
            for name in ("square_error", "similarity")
        )
        figures |= {"mse": mse, "psnr": psnr_interval(mse)}
        if np.isfinite(similarity["value"]):  # not in frames that are too small for it
            figures["ssim"] = similarity
    if valid.any():
        clips = len(np.unique(predictions["clip"][valid.any(axis=1)]))  # the trials; the frames of a clip fail together
        figures["visible"] = wilson(float((columns["visible"] * valid).sum() / valid.sum()) * clips, clips)
    error, pixels = ((columns[name] * predictions["occupied"]).sum(axis=1) for name in OBJECT_SUMS)
    if pixels.sum() > 0:
        figures["object_psnr"] = psnr_interval(bootstrap_ratio(error, pixels))
    return figures
