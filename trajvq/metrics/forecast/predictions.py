"""Figures of the frames of predicted clips, and their collection over batches and processes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from trajvq.io.arrays import Bytes, Floats
from trajvq.metrics.matching import MATCH_DISTANCE
from trajvq.metrics.reconstruction.objects import clip_figures
from trajvq.metrics.reconstruction.truth import Truth
from trajvq.metrics.tracking import Tracks, track

OBJECT_SUMS = ("object_square_error", "object_pixels")


def track_against(truth: Truth, video: Bytes, first: int = 0) -> Tracks:
    """Track clips with the contrasts and sizes of their true objects.

    Args:
        truth: Of N clips of T frames.
        video: uint8 ``(N, F, 3, H, W)``; beyond frame T objects keep their last size.
        first: Number of the true frame that the first frame of ``video`` corresponds to.
    """
    frames = np.minimum(first + np.arange(video.shape[1]), truth.radius.shape[1] - 1)
    return track(video, truth.background, truth.contrast, np.pi * truth.radius[:, frames] ** 2)


def picture_figures(truth: Truth, video: Bytes, positions: Floats, context: int) -> dict[str, Floats]:
    """Return figures of the frames that follow the context.

    Args:
        truth: Of N clips of T frames.
        video: uint8 ``(N, F, 3, H, W)``, the predicted clips including their context.
        positions: ``(N, F, 2)`` true positions, px; NaN where there is no object.
        context: Frames of context, n.

    Returns:
        ``(N, F - n)`` each: ``visible`` (exactly one object, within 8 px of the truth), ``object_square_error`` and
        ``object_pixels`` (sums as of `clip_figures`, 0 beyond frame T); and ``pixel`` ``(N, F - n, 2)``, the tracked
        positions.
    """
    tracks = track_against(truth, video)
    largest = tracks.pixel[:, :, 0]
    distance = np.linalg.norm(np.nan_to_num(largest, nan=np.inf) - np.nan_to_num(positions), axis=-1)
    visible = ((tracks.count == 1) & (distance <= MATCH_DISTANCE))[:, context:].astype(float)
    sums = {name: np.zeros(visible.shape) for name in OBJECT_SUMS}
    frames = min(video.shape[1], truth.video.shape[1])
    if frames > context:
        compared = replace(
            truth,
            video=truth.video[:, :frames],
            pixel=truth.pixel[:, :frames],
            radius=truth.radius[:, :frames],
            peak=truth.peak[:, :frames],
            valid=truth.valid[:, :frames],
            labels=truth.labels[:, :frames],
        )
        figures = clip_figures(compared, video[:, :frames])
        for name in OBJECT_SUMS:
            sums[name][:, : frames - context] = figures[name][:, context:]
    return {"visible": visible, "pixel": largest[:, context:], **sums}


class ForecastPredictions(Metric):
    """Collect arrays of clips by name; ``compute`` returns each clip once, sorted by its number in the split."""

    full_state_update = False
    NAMES = (
        *("index", "truth", "valid", "tracked", "reconstructed", "label", "identifiable"),
        *("pixel", "visible", *OBJECT_SUMS, "samples"),
    )

    def __init__(self) -> None:
        super().__init__()
        for name in self.NAMES:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, batch: Mapping[str, Any]) -> None:
        """Add arrays ``(B, ...)`` of a batch by name, some of ``NAMES``; ``index`` is required."""
        for name, value in batch.items():
            array = value if isinstance(value, Tensor) else torch.from_numpy(np.asarray(value))
            getattr(self, name).append(array.to(self.device))

    def compute(self) -> dict[str, NDArray[Any]]:
        states = {name: getattr(self, name) for name in self.NAMES}
        arrays = {name: dim_zero_cat(state).cpu().numpy() for name, state in states.items() if len(state)}
        _, order = np.unique(arrays["index"], return_index=True)
        return {name: array[order] for name, array in arrays.items()}
