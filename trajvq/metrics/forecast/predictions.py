"""Forecasts of a split, collected over batches and processes, and what they look like in the picture."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from trajvq.io.arrays import Floats
from trajvq.metrics.reconstruction.metric import NEAR, Truth, clip_figures
from trajvq.metrics.tracking import Tracks, track


def tracked_as(truth: Truth, video: NDArray[np.uint8], first: int = 0) -> Tracks:
    """Track clips, of any length from a frame on, against the true object's contrast and size, of which the last stays.

    Args:
        truth: Of N clips.
        video: uint8 ``(N, F, 3, H, W)``.
        first: Which frame of the true clips their first one is.
    """
    rows = np.minimum(first + np.arange(video.shape[1]), truth.radius.shape[1] - 1)
    return track(video, truth.background, truth.contrast, np.pi * truth.radius[:, rows] ** 2)


def pictured(truth: Truth, video: NDArray[np.uint8], places: Floats, first: int) -> dict[str, Floats]:
    """Return what predicted clips look like, for the frames after the first ones, ``(N, M)`` each.

    Args:
        truth: Of N clips of T frames.
        video: uint8 ``(N, F, 3, H, W)``, the predictions, from the first frame on.
        places: ``(N, F, 2)`` true places, NaN where there is none.
        first: Frames given.

    Returns:
        ``visible``: exactly one object, within 8 px of the truth; ``near_square`` and ``near``, the sums of
        `object_psnr`, 0 where the clip has no more frames to compare with.
    """
    seen = tracked_as(truth, video)
    near = np.linalg.norm(np.nan_to_num(seen.pixel, nan=np.inf) - np.nan_to_num(places), axis=-1) <= NEAR
    found = {"visible": ((seen.count == 1) & near)[:, first:].astype(float), "pixel": seen.pixel[:, first:]}
    known = min(video.shape[1], truth.video.shape[1])
    sums = np.zeros((2, *found["visible"].shape))
    if known > first:
        cut = Truth(
            truth.video[:, :known],
            truth.background,
            truth.pixel[:, :known],
            truth.radius[:, :known],
            truth.color,
            truth.contrast,
            truth.valid[:, :known],
        )
        figures = clip_figures(cut, video[:, :known])
        for number, name in enumerate(("near_square", "near")):
            sums[number, :, : known - first] = figures[name][:, first:]
    return found | {"near_square": sums[0], "near": sums[1]}


class ForecastAnswers(Metric):
    """Collects arrays of clips by name; ``compute`` returns each clip once, in the order of the split."""

    full_state_update = False
    NAMES = ("index", "truth", "valid", "tracked", "reconstructed", "label", "identifiable")
    MADE = ("pixel", "visible", "near_square", "near", "samples")

    def __init__(self) -> None:
        super().__init__()
        for name in (*self.NAMES, *self.MADE):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, found: Mapping[str, Any]) -> None:
        """Add the arrays of a batch, ``(B, ...)`` by name; those that are missing stay empty."""
        for name, value in found.items():
            made = value if isinstance(value, Tensor) else torch.from_numpy(np.asarray(value))
            getattr(self, name).append(made.to(self.device))

    def compute(self) -> dict[str, NDArray[Any]]:
        held = {name: getattr(self, name) for name in (*self.NAMES, *self.MADE)}
        found = {name: dim_zero_cat(value).cpu().numpy() for name, value in held.items() if len(value)}
        _, order = np.unique(found["index"], return_index=True)
        return {name: value[order] for name, value in found.items()}
