"""Render anti-aliased discs at sub-pixel positions, in exact arithmetic.

Coordinates are multiples of 1/1024 px, and IEEE square roots are correctly rounded. So the same scene gives the same
pixels on every processor. Only the pixels that a disc touches are computed.

N clips, T frames, H rows, W columns.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.camera import EDGE, UNIT
from trajvq.io.arrays import Bytes, Floats


def render_discs(
    video: Bytes, pixel: Floats, radius: Floats, color: Bytes, hidden: NDArray[np.bool_] | None = None
) -> Floats:
    """Render one disc into every frame, in place.

    The disc covers a share ``clip(radius - d + 0.5, 0, 1)`` of a pixel at distance d from its center.

    Args:
        video: ``(N, T, 3, H, W)`` uint8 clips that show the background; contiguous.
        pixel: ``(N, T, 2)`` centers (x, y) in pixels, rounded to 1/1024 px.
        radius: ``(N, T)`` radii in pixels, rounded to 1/1024 px.
        color: ``(N, 3)`` RGB, or ``(N, T, 3)``.
        hidden: ``(N, H, W)`` pixels where something stands in front of the disc.

    Returns:
        ``(N, T)`` visible share of each disc, in [0, 1].
    """
    count, frames, _, height, width = video.shape
    half = int(np.ceil(radius.max() + EDGE))  # a square of 2 * half + 1 pixels holds every disc
    dtype: type[np.signedinteger[Any]] = np.int32 if half < 30 else np.int64  # holds a squared distance
    center = np.rint(pixel * UNIT).astype(dtype)
    limit = np.rint(radius * UNIT).astype(dtype) + int(EDGE * UNIT)

    # Squared distances in the squares around all discs. Keep the pixels that are touched and inside the picture.
    offsets = np.arange(-half, half + 1, dtype=dtype)
    middle = center // UNIT
    dx = (middle[..., :1] + offsets) * UNIT + UNIT // 2 - center[..., :1]
    dy = (middle[..., 1:] + offsets) * UNIT + UNIT // 2 - center[..., 1:]
    squared = (dx**2)[:, :, None, :] + (dy**2)[:, :, :, None]
    touched = np.flatnonzero(squared < (limit**2)[:, :, None, None])
    frame = touched // len(offsets) ** 2  # of all N * T
    cell = touched - frame * len(offsets) ** 2  # pixel of its square
    row = cell // len(offsets)
    column = cell - row * len(offsets)
    row += middle[..., 1].reshape(-1)[frame] - half
    column += middle[..., 0].reshape(-1)[frame] - half
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    if not inside.all():
        frame, row, column, touched = frame[inside], row[inside], column[inside], touched[inside]

    distance = np.sqrt(squared.reshape(-1)[touched].astype(np.float64)).astype(np.int32)
    cover = np.minimum(limit.reshape(-1)[frame] - distance, UNIT)
    visible = np.ones((count, frames))
    if hidden is not None:
        total = np.bincount(frame, cover, count * frames)
        cover = np.where(hidden[frame // frames, row, column], 0, cover)
        remaining = np.bincount(frame, cover, count * frames)
        visible = (remaining / np.maximum(total, 1)).reshape(count, frames)
    flat = video.reshape(-1)
    assert np.shares_memory(flat, video)
    disc_color = color[frame // frames] if color.ndim == 2 else color.reshape(-1, 3)[frame]
    background_share = UNIT - cover
    first = frame * (3 * height * width) + row * width + column
    for channel in range(3):
        index = first + channel * (height * width)
        flat[index] = (flat[index] * background_share + disc_color[:, channel] * cover + UNIT // 2) >> 10  # over UNIT
    return visible
