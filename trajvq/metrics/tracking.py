"""Find the object in every frame from pixels and a background: no ground truth, no learned weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from trajvq.io.arrays import Floats

SHARE = 0.3  # of the contrast, and of the area, that makes a component an object
NOISE = 4 / 255  # contrast below which nothing is seen
IN_FRAME = np.zeros((3, 3, 3), dtype=bool)
IN_FRAME[1] = True  # neighbours within a frame, diagonals included, and none across frames


@dataclass(frozen=True)
class Tracks:
    """What is seen in N clips of T frames.

    Attributes:
        pixel: ``(N, T, 2)`` intensity-weighted centroid (x, y) of the largest component, pixels; NaN without one.
        radius: ``(N, T)`` radius of a disc of the component's area, pixels; 0 without one.
        color: ``(N, T, 3)`` color of its strongest pixels in [0, 1]; NaN without one.
        count: ``(N, T)`` number of objects.
    """

    pixel: Floats
    radius: Floats
    color: Floats
    count: NDArray[np.int64]

    @property
    def present(self) -> NDArray[np.bool_]:
        """``(N, T)``: whether there is any object at all."""
        return self.count > 0


def contrast_of(video: NDArray[np.uint8], background: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return ``(N, T, H, W)`` mean absolute differences from the background in [0, 1].

    Args:
        video: uint8 ``(N, T, 3, H, W)``.
        background: uint8, broadcastable to ``(N, 1, 3, H, W)``.
    """
    difference = np.abs(video.astype(np.int16) - background.astype(np.int16))
    return np.asarray(difference.sum(axis=2, dtype=np.int32) / (3 * 255), dtype=np.float32)


def track(
    video: NDArray[np.uint8],
    background: NDArray[np.uint8],
    contrast: Floats | None = None,
    area: Floats | None = None,
) -> Tracks:
    """Track the largest object of every frame.

    An object is a connected component of pixels with at least 30 % of the contrast and, together,
    30 % of the area expected. Without expectations the contrast is the clip's own, and any area will do.

    Args:
        video: uint8 ``(N, T, 3, H, W)``.
        background: uint8, broadcastable to ``(N, 1, 3, H, W)``.
        contrast: ``(N,)`` contrast of a true object in [0, 1], as `contrast_of` measures it.
        area: ``(N, T)`` area of a true object in pixels.
    """
    count, frames, _, height, width = video.shape
    shown = contrast_of(video, background)
    if contrast is None:
        contrast = np.median(shown.max(axis=(2, 3)), axis=1)
    threshold = np.maximum(SHARE * np.asarray(contrast), NOISE)
    needed = np.ones(count * frames) if area is None else np.maximum(SHARE * area.reshape(-1), 1.0)

    stack = shown.reshape(-1, height, width)
    labels, found = ndimage.label(stack >= np.repeat(threshold, frames)[:, None, None], IN_FRAME)
    where = np.flatnonzero(labels)
    sizes = np.bincount(labels.flat[where], minlength=found + 1)
    peaks = np.ones(found + 1)
    peaks[1:] = 0
    np.maximum.at(peaks, labels.flat[where], stack.flat[where])
    frame_of = np.zeros(found + 1, dtype=np.int64)
    frame_of[labels.flat[where]] = where // (height * width)
    objects = np.flatnonzero(sizes >= needed[frame_of])
    objects = objects[objects > 0]
    number = np.bincount(frame_of[objects], minlength=len(stack))

    # The largest object of each frame: sorted by size, the last one written stays.
    largest = np.zeros(len(stack), dtype=np.int64)
    order = objects[np.argsort(sizes[objects], kind="stable")]
    largest[frame_of[order]] = order

    # Weigh its pixels and their neighbours, which hold its faint edge.
    body = (labels == largest[:, None, None]) & (largest > 0)[:, None, None]
    frame, row, column = np.nonzero(ndimage.binary_dilation(body, IN_FRAME, iterations=1))
    weight = stack[frame, row, column].astype(np.float64)
    total = np.bincount(frame, weight, len(stack))
    peak = peaks[largest]
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.bincount(frame, weight * (column + 0.5), len(stack)) / total
        y = np.bincount(frame, weight * (row + 0.5), len(stack)) / total
        radius = np.sqrt(np.where(largest > 0, total / peak, 0.0) / np.pi)
        strong = stack[frame, row, column] >= 0.9 * peak[frame]
        picture = video.reshape(-1, 3, height, width)[frame, :, row, column] / 255.0
        share = np.bincount(frame, strong, len(stack))
        summed = np.stack([np.bincount(frame, strong * picture[:, c], len(stack)) for c in range(3)], axis=-1)
        color = summed / share[:, None]
    return Tracks(
        pixel=np.stack([x, y], axis=-1).reshape(count, frames, 2),
        radius=radius.reshape(count, frames),
        color=color.reshape(count, frames, 3),
        count=number.reshape(count, frames),
    )
