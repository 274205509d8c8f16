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
from trajvq.metrics.reconstruction.objects import MATCH_DISTANCE, clip_figures
from trajvq.metrics.reconstruction.ssim import ssim
from trajvq.metrics.reconstruction.truth import Truth
from trajvq.metrics.tracking import Tracks, track

OBJECT_SUMS = ("object_square_error", "object_pixels")
PICTURE = ("square_error", "similarity")
FRAME_ROWS = ("blank", "mean_frame", "copy_last", "frame_shift", "tokenizer", "model")  # rows that have frames


def track_against(truth: Truth, video: Bytes, first: int = 0) -> Tracks:
    """Track clips with the contrast and size of their true object.

    Args:
        truth: Of N clips of T frames.
        video: uint8 ``(N, F, 3, H, W)``; beyond frame T the object keeps its last size.
        first: Number of the true frame that the first frame of ``video`` corresponds to.
    """
    frames = np.minimum(first + np.arange(video.shape[1]), truth.radius.shape[1] - 1)
    return track(video, truth.background, truth.contrast, np.pi * truth.radius[:, frames] ** 2)


def frame_figures(truth: Truth, rows: Mapping[str, Bytes], positions: Floats, context: int) -> dict[str, Floats]:
    """Return figures of the frames that follow the context, in the clips of several rows.

    Args:
        truth: Of N clips of T frames.
        rows: uint8 ``(N, M, 3, H, W)``, the predicted frames, by the name of their row.
        positions: ``(N, n + M, 2)`` true positions, px; NaN where there is no object.
        context: Frames of context, n.

    Returns:
        For every row ``(N, M)`` each, as ``ROW/NAME``: ``visible`` (exactly one object, within 8 px of the truth);
        ``square_error`` (mean over all pixels) and ``similarity`` (SSIM), NaN beyond frame T; ``object_square_error``
        and ``object_pixels`` (sums as of `clip_figures`, 0 beyond frame T); and ``ROW/pixel`` ``(N, M, 2)``, the
        tracked positions.
    """
    future, stored = positions[:, context:], slice(context, positions.shape[1])
    later = replace(  # one for all rows, since it keeps the objects' areas
        truth,
        video=truth.video[:, stored],
        pixel=truth.pixel[:, stored],
        radius=truth.radius[:, stored],
        valid=truth.valid[:, stored],
    )
    figures: dict[str, Floats] = {}
    for row, video in rows.items():
        tracks = track_against(truth, video, context)
        distance = np.linalg.norm(np.nan_to_num(tracks.pixel, nan=np.inf) - np.nan_to_num(future), axis=-1)
        visible = ((tracks.count == 1) & (distance <= MATCH_DISTANCE)).astype(float)
        columns = {"visible": visible, **{name: np.zeros(visible.shape) for name in OBJECT_SUMS}}
        columns |= {name: np.full(visible.shape, np.nan) for name in PICTURE}
        frames = later.video.shape[1]
        if frames:
            compared = clip_figures(later, video[:, :frames])
            for name in (*OBJECT_SUMS, "square_error"):
                columns[name][:, :frames] = compared[name]
            pictures = (
                torch.from_numpy(clips).flatten(0, 1).float() / 255 for clips in (video[:, :frames], later.video)
            )
            columns["similarity"][:, :frames] = ssim(*pictures).view(len(video), frames).numpy()
        figures |= {f"{row}/{name}": column for name, column in columns.items()} | {f"{row}/pixel": tracks.pixel}
    return figures


class ForecastPredictions(Metric):
    """Collect arrays of clips by name; ``compute`` returns each clip once, sorted by its number in the split."""

    full_state_update = False
    NAMES = (
        *("index", "truth", "valid", "tracked", "reconstructed", "label", "identifiable", "samples"),
        *(f"{row}/{name}" for row in FRAME_ROWS for name in ("pixel", "visible", *OBJECT_SUMS, *PICTURE)),
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
