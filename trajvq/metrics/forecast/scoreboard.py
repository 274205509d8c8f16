"""The scoreboard of a forecast: the model, its samples and its error budget beside the ladder of rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.forecast.budget import error_budget
from trajvq.metrics.forecast.errors import by_class
from trajvq.metrics.forecast.rows import Baselines, Paths
from trajvq.metrics.forecast.samples import middle_path, sample_forecast_figures
from trajvq.metrics.intervals import bootstrap_ratio, wilson
from trajvq.metrics.reconstruction.metric import PSNR_FLOOR


def fitted(places: NDArray[Any], frames: int, empty: float = np.nan) -> NDArray[Any]:
    """Cut ``(N, T, ...)`` to so many frames, or fill it up with ``empty``."""
    short = max(frames - places.shape[1], 0)
    padding = [(0, 0), (0, short), *[(0, 0)] * (places.ndim - 2)]
    return np.pad(places[:, :frames], padding, constant_values=empty)


def forecast_rows(
    ladder: Baselines, split: str, found: Mapping[str, NDArray[Any]], given: int
) -> tuple[dict[str, dict[str, Any]], dict[str, Floats]]:
    """Return the figures of every row, the model's last, and the places ``(N, M, 2)`` that each predicts.

    Args:
        ladder: What the rows know.
        split: The split.
        found: Of `trajvq.metrics.forecast.predictions.ForecastAnswers`; without ``reconstructed`` and ``samples`` there
            are no rows of them.
        given: Frames given.
    """
    asked = Paths(
        found["truth"].astype(np.float64),
        found["valid"],
        found["tracked"].astype(np.float64),
        found["reconstructed"].astype(np.float64) if "reconstructed" in found else None,
        found.get("label"),
        found.get("identifiable"),
    )
    truth, valid = asked.truth[:, given:], asked.valid[:, given:]
    about = (asked.label, ladder.classes, asked.identifiable)
    places = ladder.predictions(split, asked, given, truth.shape[1])
    whole = asked.reconstructed if truth.shape[1] + given <= ladder.frames else None
    if whole is not None:
        places["tokenizer"] = whole[:, given:]
    if "samples" in found:
        places["samples_middle"] = middle_path(found["samples"].astype(np.float64))
    places["model"] = found["pixel"].astype(np.float64)
    rows = {name: by_class(truth, valid, made, *about) for name, made in places.items()}
    rows["model"] |= _picture(found, valid)
    if "samples" in found:
        rows["model"] |= sample_forecast_figures(truth, valid, found["samples"].astype(np.float64))
    if whole is not None:
        seen = valid.all(axis=1)
        steps = (truth, asked.tracked[:, given:], whole[:, given:], places["model"])
        rows["model"]["budget"] = error_budget(*(step[seen] for step in steps))
    return rows, places


def _picture(found: Mapping[str, NDArray[Any]], valid: NDArray[np.bool_]) -> dict[str, Any]:
    """Return ``visible`` and ``object_psnr`` with their intervals, over the frames that are valid."""
    frames = valid.sum(axis=1)
    seen = (found["visible"] * valid).sum(axis=1)
    clips = int((frames > 0).sum())
    made: dict[str, Any] = {"visible": wilson(float(seen.sum() / max(frames.sum(), 1)) * clips, clips)}
    square, near = ((found[name] * valid).sum(axis=1).astype(np.float64) for name in ("near_square", "near"))
    if near.sum() > 0:
        ratio = bootstrap_ratio(square, near)
        ends = {"value": "value", "low": "high", "high": "low"}
        made["object_psnr"] = {
            end: float(-10 * np.log10(max(ratio[other], PSNR_FLOOR)))  # type: ignore[literal-required]
            for end, other in ends.items()
        }
    return made
