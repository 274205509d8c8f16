"""Areas of objects, and the mean color error over them.

N clips, T frames, at most K objects in a frame, P pixels. An area of objects is a list of pixels, int64 ``(P,)``:
ascending indices into an array ``(N, T, K, H, W)``. The array itself would take tens of GB where one frame is noisy.
"""

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Bytes, Floats, shown_in
from trajvq.metrics.tracking import contrast_of

OBJECT_MARGIN = 2.0  # px around the object that `object_psnr` and the search for an outline include
SOLID_SHARE = 0.5  # of the object's contrast, from which a pixel beside its disc belongs to its area
BLOCK = 256  # discs of similar size that are rendered together
LEAST_RADIUS = 0.5**0.5  # px; a disc of this radius holds the center of a pixel wherever it lies


def disc_pixels(pixel: Floats, radius: Floats, height: int, width: int) -> NDArray[np.int64]:
    """Return the pixels whose centers lie in a disc; none where the disc's center is NaN.

    Args:
        pixel: ``(..., 2)`` centers (x, y).
        radius: ``(...)`` pixels.
        height: H.
        width: W.

    Returns:
        ``(P,)`` ascending indices into an array ``(..., H, W)``.
    """
    number = np.flatnonzero(shown_in(pixel) & (radius > 0))
    centers, radii = pixel.reshape(-1, 2), radius.reshape(-1)
    number = number[np.argsort(radii[number], kind="stable")]
    parts = [np.zeros(0, dtype=np.int64)]
    for block in (number[start : start + BLOCK] for start in range(0, len(number), BLOCK)):
        x, y = centers[block].T[..., None]
        squared = np.square(radii[block])[:, None]
        steps_away = int(np.ceil(np.sqrt(squared.max()))) + 1
        steps = np.arange(-steps_away, steps_away + 1)  # only the pixels around a center are compared
        column, row = np.floor(x).astype(int) + steps, np.floor(y).astype(int) + steps
        inside = np.square(row + 0.5 - y)[:, :, None] + np.square(column + 0.5 - x)[:, None] <= squared[..., None]
        inside &= ((row >= 0) & (row < height))[:, :, None] & ((column >= 0) & (column < width))[:, None]
        item, down, right = np.nonzero(inside)
        parts.append((block[item] * height + row[item, down]) * width + column[item, right])
    return np.sort(np.concatenate(parts))


def disc_mask(pixel: Floats, radius: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """Return `disc_pixels` as a mask, bool ``(..., H, W)``."""
    mask = np.zeros((*radius.shape, height, width), dtype=bool)
    mask.flat[disc_pixels(pixel, radius, height, width)] = True
    return mask


def union_mask(pixel: Floats, radius: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """Return the pixels in any of the K discs of a frame, bool ``(N, T, H, W)``; arguments as of `disc_pixels`."""
    count, frames, objects = radius.shape
    mask = np.zeros((count * frames, height * width), dtype=bool)
    disc, at = np.divmod(disc_pixels(pixel, radius, height, width), height * width)
    mask[disc // objects, at] = True
    return mask.reshape(count, frames, height, width)


def object_area(video: Bytes, background: Bytes, pixel: Floats, radius: Floats, contrast: Floats) -> NDArray[np.int64]:
    """Return the area of objects, outlines included, ``(P,)`` pixels; none where ``pixel`` is NaN.

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
    wide = disc_pixels(pixel, radius + OBJECT_MARGIN, height, width)
    clip, frame, k, row, column = np.unravel_index(wide, (*radius.shape, height, width))
    solid = contrast_of(video, background)[clip, frame, row, column] >= SOLID_SHARE * contrast[clip, k]
    return np.union1d(wide[solid], disc_pixels(pixel, np.maximum(radius, LEAST_RADIUS), height, width))


def color_difference(difference: NDArray[np.floating], area: NDArray[np.int64], objects: int) -> Floats:
    """Return the difference between the mean colors of two clips over areas, ``(N, T, K)``; 0 where one is empty.

    Args:
        difference: ``(N, T, 3, H, W)`` of the clips.
        area: ``(P,)`` pixels.
        objects: K.

    Returns:
        The mean over channels of the absolute difference of the means, in the unit of ``difference``.
    """
    (count, frames), (height, width) = difference.shape[:2], difference.shape[3:]
    shape, total = (count, frames, objects), count * frames * objects
    clip, frame, _, row, column = np.unravel_index(area, (*shape, height, width))
    member = area // (height * width)
    pixels = np.maximum(np.bincount(member, minlength=total), 1)
    channels = difference[clip, frame, :, row, column].T
    sums = [np.bincount(member, channel, total) for channel in channels]
    return np.asarray(np.abs(np.stack(sums) / pixels).mean(axis=0).reshape(shape))
