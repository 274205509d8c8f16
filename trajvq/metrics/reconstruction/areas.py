"""Areas of objects, and the mean color error over them."""

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Bytes, Floats
from trajvq.metrics.tracking import contrast_of

OBJECT_MARGIN = 2.0  # px around the object that `object_psnr` and the search for an outline include
SOLID_SHARE = 0.5  # of the object's contrast, from which a pixel beside its disc belongs to its area
LEAST_RADIUS = 0.5**0.5  # px; a disc of this radius holds the center of a pixel wherever it lies


def disc_mask(pixel: Floats, radius: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """Return the pixels whose centers lie in a disc, bool ``(..., H, W)``; none where the disc's center is NaN.

    Args:
        pixel: ``(..., 2)`` centers (x, y).
        radius: ``(...)`` pixels.
        height: H.
        width: W.
    """
    mask = np.zeros((*radius.shape, height, width), dtype=bool)
    number = np.flatnonzero(np.isfinite(pixel).all(axis=-1) & (radius > 0))
    if not len(number):
        return mask
    x, y = pixel.reshape(-1, 2)[number].T[..., None]
    squared = np.square(radius.reshape(-1)[number])[:, None]
    steps_away = int(np.ceil(np.sqrt(squared.max()))) + 1
    steps = np.arange(-steps_away, steps_away + 1)  # only the pixels around a center are compared
    column, row = np.floor(x).astype(int) + steps, np.floor(y).astype(int) + steps
    inside = np.square(row + 0.5 - y)[:, :, None] + np.square(column + 0.5 - x)[:, None] <= squared[..., None]
    inside &= ((row >= 0) & (row < height))[:, :, None] & ((column >= 0) & (column < width))[:, None]
    item, down, right = np.nonzero(inside)
    mask.reshape(-1, height, width)[number[item], row[item, down], column[item, right]] = True
    return mask


def object_area(video: Bytes, background: Bytes, pixel: Floats, radius: Floats, contrast: Floats) -> NDArray[np.bool_]:
    """Return the pixels of objects, outlines included, bool ``(N, T, K, H, W)``; none where ``pixel`` is NaN.

    An object's area is its disc, and the pixels within 2 px of the disc that have at least half of its contrast. The
    disc covers a pale interior; the pixels around it cover a dark outline, which makes a tracked radius too small.

    Args:
        video: uint8 ``(N, T, 3, H, W)``.
        background: uint8 ``(N, 1, 3, H, W)``.
        pixel: ``(N, T, K, 2)`` centers (x, y) in pixels, stored or tracked.
        radius: ``(N, T, K)`` pixels.
        contrast: ``(N, K)`` contrasts of the objects in [0, 1], as `trajvq.metrics.tracking.contrast_of` measures them.
    """
    height, width = video.shape[-2:]
    solid = contrast_of(video, background)[:, :, None] >= SOLID_SHARE * contrast[:, None, :, None, None]
    solid &= disc_mask(pixel, radius + OBJECT_MARGIN, height, width)
    return np.asarray(solid | disc_mask(pixel, np.maximum(radius, LEAST_RADIUS), height, width))


def color_difference(difference: NDArray[np.floating], area: NDArray[np.bool_]) -> Floats:
    """Return the difference between the mean colors of two clips over areas, ``(N, T, K)``; 0 where one is empty.

    Args:
        difference: ``(N, T, 3, H, W)`` of the clips.
        area: bool ``(N, T, K, H, W)``.

    Returns:
        The mean over channels of the absolute difference of the means, in the unit of ``difference``.
    """
    shape, total = area.shape[:3], int(np.prod(area.shape[:3]))
    at = np.flatnonzero(area)  # several times as fast as np.nonzero
    clip, frame, _, row, column = np.unravel_index(at, area.shape)
    member = at // (area.shape[3] * area.shape[4])
    pixels = np.maximum(np.bincount(member, minlength=total), 1)
    channels = difference[clip, frame, :, row, column].T
    sums = [np.bincount(member, channel, total) for channel in channels]
    return np.asarray(np.abs(np.stack(sums) / pixels).mean(axis=0).reshape(shape))
