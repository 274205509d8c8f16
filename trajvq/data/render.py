"""Draw anti-aliased discs at sub-pixel positions, in exact arithmetic.

Coordinates are whole multiples of 1/1024 px and IEEE square roots are correctly rounded, so the
same scene gives the same pixels on every processor. Only the pixels an object touches are drawn.
"""

import numpy as np
from numpy.typing import NDArray

from trajvq.data.camera import EDGE, UNIT
from trajvq.data.ranges import Floats

Bytes = NDArray[np.uint8]


def draw_discs(video: Bytes, pixel: Floats, radius: Floats, color: Bytes) -> None:
    """Draw one disc into every frame, in place.

    A pixel at distance d from the centre is covered by ``clip(radius - d + 0.5, 0, 1)``.

    Args:
        video: ``(N, T, 3, H, W)`` uint8 clips that show the background.
        pixel: ``(N, T, 2)`` centres (x, y) in pixels, rounded to 1/1024 px.
        radius: ``(N, T)`` radii in pixels, rounded to 1/1024 px.
        color: ``(N, 3)`` RGB.
    """
    count, frames, _, height, width = video.shape
    reach = int(np.ceil(radius.max() + EDGE))
    side = 2 * reach + 1
    centre = np.rint(pixel * UNIT).astype(np.int64)
    corner = np.clip(centre // UNIT - reach, 0, np.array([max(width - side, 0), max(height - side, 0)]))
    columns = np.minimum(corner[..., :1] + np.arange(side), width - 1)
    rows = np.minimum(corner[..., 1:] + np.arange(side), height - 1)
    dx = columns * UNIT + UNIT // 2 - centre[..., :1]
    dy = rows * UNIT + UNIT // 2 - centre[..., 1:]
    squared = (dx**2)[:, :, None, :] + (dy**2)[:, :, :, None]
    distance = np.sqrt(squared.astype(np.float64)).astype(np.int64)
    limit = np.rint(radius * UNIT).astype(np.int64) + int(EDGE * UNIT)
    cover = np.clip(limit[:, :, None, None] - distance, 0, UNIT)[:, :, None]

    # (N, T, 3, side, side): the touched pixels of every frame
    clip = np.arange(count)[:, None, None, None, None]
    moment = np.arange(frames)[None, :, None, None, None]
    channel = np.arange(3)[None, None, :, None, None]
    where = (clip, moment, channel, rows[:, :, None, :, None], columns[:, :, None, None, :])
    ground = video[where].astype(np.int64)
    paint = color[:, None, :, None, None].astype(np.int64)
    video[where] = ((ground * (UNIT - cover) + paint * cover + UNIT // 2) // UNIT).astype(np.uint8)
