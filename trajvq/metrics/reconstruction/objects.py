"""Figures of single frames: the error over all pixels, and what is left of the object."""

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Bytes, Floats
from trajvq.metrics.reconstruction.truth import Truth
from trajvq.metrics.tracking import track

MISSING_ERROR = 32.0  # px, the centroid error of a frame without object
MATCH_DISTANCE = 8.0  # px, the largest distance at which an object counts as the true one
OBJECT_MARGIN = 2.0  # px around the object that `object_psnr` includes


def clip_figures(truth: Truth, video: Bytes) -> dict[str, Floats]:
    """Compare stored clips with the truth.

    Args:
        truth: Of N clips.
        video: uint8 ``(N, T, 3, H, W)``, the reconstructions.

    Returns:
        ``(N, T)`` figures of every frame: ``square_error`` (mean square error), ``object_square_error`` and
        ``object_pixels`` (sum of square errors over the pixels near the object, and their number), ``valid``,
        ``visible``, ``centroid_error``, ``radius_error`` and ``color_error``.
    """
    height, width = video.shape[-2:]
    difference = (video.astype(np.float32) - truth.video.astype(np.float32)) / 255
    square_error = np.square(difference).mean(axis=2)
    tracks = track(video, truth.background, truth.contrast, np.pi * truth.radius**2)
    distance = np.linalg.norm(tracks.pixel - truth.pixel, axis=-1)
    mask = object_mask(truth.pixel, truth.radius, height, width)
    mask |= object_mask(tracks.pixel, tracks.radius, height, width)
    lost = ~tracks.present
    color_error = np.abs(tracks.color - truth.color[:, None]).mean(-1)
    return {
        "square_error": square_error.mean(axis=(2, 3)).astype(np.float64),
        "object_square_error": (square_error * mask).sum(axis=(2, 3)).astype(np.float64),
        "object_pixels": mask.sum(axis=(2, 3)).astype(np.float64),
        "valid": truth.valid.astype(np.float64),
        "visible": ((tracks.count == 1) & (distance <= MATCH_DISTANCE)).astype(np.float64),
        "centroid_error": np.where(lost, MISSING_ERROR, np.minimum(distance, MISSING_ERROR)),
        "radius_error": np.where(lost, truth.radius, np.abs(tracks.radius - truth.radius)),
        "color_error": 255 * np.where(lost, truth.contrast[:, None], color_error),
    }


def object_mask(pixel: Floats, radius: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """Return the pixels within `OBJECT_MARGIN` of a disc, bool ``(N, T, H, W)``; none where the center is NaN.

    Args:
        pixel: ``(N, T, 2)`` centers (x, y).
        radius: ``(N, T)`` pixels.
        height: H.
        width: W.
    """
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    dx = columns - pixel[..., :1]
    dy = rows - pixel[..., 1:]
    squared = dy[..., :, None] ** 2 + dx[..., None, :] ** 2
    return np.asarray(squared <= (radius[..., None, None] + OBJECT_MARGIN) ** 2)
