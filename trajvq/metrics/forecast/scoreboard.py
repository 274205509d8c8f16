"""The rows of a forecast's scoreboard: the baselines, the model, its samples and its error budget."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.forecast.baselines import Baselines, Paths
from trajvq.metrics.forecast.budget import error_budget
from trajvq.metrics.forecast.errors import forecast_figures_by_class
from trajvq.metrics.forecast.samples import median_path, sample_forecast_figures
from trajvq.metrics.intervals import bootstrap_ratio, wilson
from trajvq.metrics.reconstruction.metric import psnr


def pad_or_cut(array: NDArray[Any], frames: int, fill: float = np.nan) -> NDArray[Any]:
    """Return ``(N, T, ...)`` with ``frames`` frames: the first ones, followed by ``fill`` where there are too few."""
    missing = max(frames - array.shape[1], 0)
    padding = [(0, 0), (0, missing), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array[:, :frames], padding, constant_values=fill)


def forecast_rows(
    baselines: Baselines, split: str, predictions: Mapping[str, NDArray[Any]], context: int
) -> tuple[dict[str, dict[str, Any]], dict[str, Floats]]:
    """Return the figures of every row, the model's last, and the predicted positions ``(N, M, 2)`` of each.

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
    horizon = truth.shape[1]
    positions = baselines.predictions(split, paths, context, horizon)
    reconstructed = paths.reconstructed if context + horizon <= baselines.frames else None
    if reconstructed is not None:
        positions["tokenizer"] = reconstructed[:, context:]
    if samples is not None:
        positions["samples_middle"] = median_path(samples)
    positions["model"] = predictions["pixel"].astype(np.float64)
    rows = {
        name: forecast_figures_by_class(truth, valid, predicted, paths.label, baselines.classes, paths.identifiable)
        for name, predicted in positions.items()
    }
    rows["model"] |= _picture_intervals(predictions, valid)
    if samples is not None:
        rows["model"] |= sample_forecast_figures(truth, valid, samples)
    if reconstructed is not None:
        visible = valid.all(axis=1)
        steps = (truth, paths.tracked[:, context:], reconstructed[:, context:], positions["model"])
        rows["model"]["budget"] = error_budget(*(step[visible] for step in steps))
    return rows, positions


def _picture_intervals(predictions: Mapping[str, NDArray[Any]], valid: NDArray[np.bool_]) -> dict[str, Any]:
    """Return ``visible`` and ``object_psnr`` with their intervals, over valid frames ``(N, M)``."""
    frames = valid.sum(axis=1)
    visible = (predictions["visible"] * valid).sum(axis=1)
    clips = int((frames > 0).sum())
    figures: dict[str, Any] = {"visible": wilson(float(visible.sum() / max(frames.sum(), 1)) * clips, clips)}
    error, pixels = (
        (predictions[name] * valid).sum(axis=1).astype(np.float64) for name in ("object_square_error", "object_pixels")
    )
    if pixels.sum() > 0:
        ratio = bootstrap_ratio(error, pixels)
        figures["object_psnr"] = {
            "value": psnr(ratio["value"]),
            "low": psnr(ratio["high"]),
            "high": psnr(ratio["low"]),
        }
    return figures
