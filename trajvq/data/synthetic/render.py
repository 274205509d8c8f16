"""Draw anti-aliased discs at sub-pixel positions, in exact arithmetic.

Coordinates are whole multiples of 1/1024 px and IEEE square roots are correctly rounded, so the
same scene gives the same pixels on every processor. Only the pixels an object touches are drawn.

N clips, T frames, S rows and columns of the square around an object.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.camera import EDGE, UNIT
from trajvq.io.arrays import Bytes, Floats


def render_discs(
    video: Bytes, pixel: Floats, radius: Floats, color: Bytes, hidden: NDArray[np.bool_] | None = None
) -> Floats:
    """Draw one disc into every frame, in place.

    A pixel at distance d from the centre is covered by ``clip(radius - d + 0.5, 0, 1)``.

    Args:
        video: ``(N, T, 3, H, W)`` uint8 clips that show the background; contiguous.
        pixel: ``(N, T, 2)`` centres (x, y) in pixels, rounded to 1/1024 px.
        radius: ``(N, T)`` radii in pixels, rounded to 1/1024 px.
        color: ``(N, 3)`` RGB.
        hidden: ``(N, H, W)`` pixels where something stands in front of the disc.

    Returns:
        ``(N, T)`` share of each disc that is seen, in [0, 1].
    """
    count, frames, _, height, width = video.shape
    reach = int(np.ceil(radius.max() + EDGE))
    kind: type[np.signedinteger[Any]] = np.int32 if reach < 30 else np.int64  # holds a squared distance
    centre = np.rint(pixel * UNIT).astype(kind)
    limit = np.rint(radius * UNIT).astype(kind) + int(EDGE * UNIT)

    # The squares around the objects, of which those pixels are kept that are touched and inside the picture.
    around = np.arange(-reach, reach + 1, dtype=kind)
    middle = centre // UNIT
    dx = (middle[..., :1] + around) * UNIT + UNIT // 2 - centre[..., :1]
    dy = (middle[..., 1:] + around) * UNIT + UNIT // 2 - centre[..., 1:]
    squared = (dx**2)[:, :, None, :] + (dy**2)[:, :, :, None]
    touched = np.flatnonzero(squared < (limit**2)[:, :, None, None])
    which = touched // len(around) ** 2  # frame of all N * T
    place = touched - which * len(around) ** 2  # pixel of its square
    row = place // len(around)
    column = place - row * len(around)
    row += middle[..., 1].reshape(-1)[which] - reach
    column += middle[..., 0].reshape(-1)[which] - reach
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    if not inside.all():
        which, row, column, touched = which[inside], row[inside], column[inside], touched[inside]

    distance = np.sqrt(squared.reshape(-1)[touched].astype(np.float64)).astype(np.int32)
    cover = np.minimum(limit.reshape(-1)[which] - distance, UNIT)
    seen = np.ones((count, frames))
    if hidden is not None:
        whole = np.bincount(which, cover, count * frames)
        cover = np.where(hidden[which // frames, row, column], 0, cover)
        part = np.bincount(which, cover, count * frames)
        seen = (part / np.maximum(whole, 1)).reshape(count, frames)
    flat = video.reshape(-1)
    assert np.shares_memory(flat, video)
    paint, ground = color[which // frames], UNIT - cover
    first = which * (3 * height * width) + row * width + column
    for channel in range(3):
        where = first + channel * (height * width)
        flat[where] = (flat[where] * ground + paint[:, channel] * cover + UNIT // 2) >> 10  # divided by UNIT
    return seen
