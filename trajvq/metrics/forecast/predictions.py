"""Figures of the frames of predicted clips, and their collection over batches and processes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from trajvq.io.arrays import Bytes, Floats
from trajvq.metrics.forecast.objects import Objects, follow
from trajvq.metrics.matching import match
from trajvq.metrics.reconstruction.objects import clip_figures
from trajvq.metrics.reconstruction.ssim import WINDOW, pictures_of, ssim
from trajvq.metrics.reconstruction.truth import Truth
from trajvq.metrics.tracking import Tracks, track

OBJECT_SUMS = ("object_square_error", "object_pixels")
PICTURE = ("square_error", "similarity")
FRAME_ROWS = ("blank", "mean_frame", "copy_last", "frame_shift", "tokenizer", "model")  # rows that have frames


def track_against(truth: Truth, video: Bytes, first: int = 0) -> Tracks:
    """Track clips with the contrasts and sizes of their true objects.

    Args:
        truth: Of N clips of T frames.
        video: uint8 ``(N, F, 3, H, W)``; beyond frame T objects keep their last size.
        first: Number of the true frame that the first frame of ``video`` corresponds to.
    """
    frames = np.minimum(first + np.arange(video.shape[1]), truth.radius.shape[1] - 1)
    return track(video, truth.background, truth.contrast, np.pi * truth.radius[:, frames] ** 2)


def tracked_objects(truth: Truth, positions: Floats, video: Bytes) -> Floats:
    """Return where the objects at true positions ``(N, T, K, 2)`` are found in clips uint8 ``(N, F, 3, H, W)``.

    See `match`. F is at most T; the result is ``(N, F, K, 2)`` px.
    """
    return match(track_against(truth, video), positions[:, : video.shape[1]]).tracks.pixel


def compare_frames(
    truth: Truth,
    positions: Floats,
    valid: NDArray[np.bool_],
    rows: Mapping[str, Bytes],
    context: int,
    index: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    """Return what `ForecastPredictions` collects of predicted frames, but for samples and what baselines start from.

    Args:
        truth: See `frame_figures`, as for ``rows`` and ``context``.
        positions: ``(N, n + M, K, 2)`` true positions, px; NaN where there is no object.
        valid: bool ``(N, n + M, K)``: frames in which the object is visible.
        rows: uint8 ``(N, M, 3, H, W)`` by name.
        context: n.
        index: ``(N,)`` numbers of the clips.
    """
    objects, occupied = Objects.in_context(valid, context), np.asarray(valid[:, context:].any(axis=2))
    return {
        **{"index": index, "later": objects.later, "occupied": occupied},
        **{"clip": index[objects.clip], "object": objects.number},
        **{"truth": objects.take(positions), "valid": objects.take(valid)},
        **frame_figures(truth, rows, positions, context, objects),
    }


def frame_figures(
    truth: Truth, rows: Mapping[str, Bytes], positions: Floats, context: int, objects: Objects
) -> dict[str, NDArray[Any]]:
    """Return figures of the frames that follow the context, in the clips of several rows.

    Args:
        truth: Of N clips of T frames with K objects.
        rows: uint8 ``(N, M, 3, H, W)``, the predicted frames, by the name of their row.
        positions: ``(N, n + M, K, 2)`` true positions, px; NaN where there is no object.
        context: Frames of context, n.
        objects: R of the clips' objects.

    Returns:
        For every row, as ``ROW/NAME``, figures of clips ``(N, M)``: ``square_error`` (mean over all pixels) and
        ``similarity`` (SSIM, NaN in frames too small for it), NaN beyond frame T; ``object_square_error`` and
        ``object_pixels`` (sums as of `clip_figures`, 0 beyond frame T). And figures of objects ``(R, M)``: ``visible``
        (matched, in a frame without surplus objects), and ``pixel`` ``(R, M, 2)``, the positions that `follow` finds.
    """
    future, stored = positions[:, context:], slice(context, positions.shape[1])
    later = replace(  # one for all rows, since it keeps the objects' areas
        truth,
        video=truth.video[:, stored],
        pixel=truth.pixel[:, stored],
        radius=truth.radius[:, stored],
        peak=truth.peak[:, stored],
        valid=truth.valid[:, stored],
        labels=truth.labels[:, stored],
    )
    frames = later.video.shape[1]
    figures: dict[str, NDArray[Any]] = {}
    for row, video in rows.items():
        tracks = track_against(truth, video, context)
        matches = match(tracks, future)
        visible = (matches.matched & (matches.surplus == 0)[..., None]).astype(float)
        columns = {name: np.zeros(video.shape[:2]) for name in OBJECT_SUMS}
        columns |= {name: np.full(video.shape[:2], np.nan) for name in PICTURE}
        if frames:
            compared = clip_figures(later, video[:, :frames])
            for name in (*OBJECT_SUMS, "square_error"):
                columns[name][:, :frames] = compared[name]
            if min(video.shape[-2:]) >= WINDOW:
                similarity = ssim(pictures_of(video[:, :frames]), *later.pictures)
                columns["similarity"][:, :frames] = similarity.view(len(video), frames).numpy()
        columns |= {"visible": objects.take(visible), "pixel": objects.take(follow(tracks, future))}
        figures |= {f"{row}/{name}": column for name, column in columns.items()}
    return figures


class ForecastPredictions(Metric):
    """Collect arrays by name; ``compute`` returns each clip and each object once, sorted by their numbers.

    ``index`` numbers the clips in their split, and ``clip`` and ``object`` the objects: the clip's number, and the
    object's in the clip.
    """

    full_state_update = False
    OF_CLIPS = (
        "index",
        "later",
        "occupied",
        *(f"{row}/{name}" for row in FRAME_ROWS for name in (*OBJECT_SUMS, *PICTURE)),
    )
    OF_OBJECTS = (
        *("clip", "object", "truth", "valid", "tracked", "reconstructed", "label", "identifiable", "samples"),
        *(f"{row}/{name}" for row in FRAME_ROWS for name in ("pixel", "visible")),
    )

    def __init__(self) -> None:
        super().__init__()
        for name in (*self.OF_CLIPS, *self.OF_OBJECTS):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, batch: Mapping[str, Any]) -> None:
        """Add arrays of a batch by name: ``(B, ...)`` of ``OF_CLIPS`` and ``(R, ...)`` of ``OF_OBJECTS``.

        ``index``, ``clip`` and ``object`` are required.
        """
        for name, value in batch.items():
            array = value if isinstance(value, Tensor) else torch.from_numpy(np.asarray(value))
            getattr(self, name).append(array.to(self.device))

    def compute(self) -> dict[str, NDArray[Any]]:
        return self._sorted(self.OF_CLIPS, ("index",)) | self._sorted(self.OF_OBJECTS, ("clip", "object"))

    def _sorted(self, names: Sequence[str], keys: Sequence[str]) -> dict[str, NDArray[Any]]:
        states = {name: getattr(self, name) for name in names}
        arrays = {name: dim_zero_cat(state).cpu().numpy() for name, state in states.items() if len(state)}
        _, order = np.unique(np.stack([arrays[key] for key in keys]), axis=1, return_index=True)
        return {name: array[order] for name, array in arrays.items()}
