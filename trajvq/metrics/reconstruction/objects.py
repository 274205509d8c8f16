"""Figures of single frames: the error over all pixels and over those that move, and what is left of the objects."""

import numpy as np

from trajvq.io.arrays import Bytes, Floats
from trajvq.metrics.reconstruction.areas import OBJECT_MARGIN, color_difference, object_area, union_mask
from trajvq.metrics.reconstruction.counterparts import find_counterparts
from trajvq.metrics.reconstruction.truth import Truth

MISSING_ERROR = 32.0  # px, the centroid error of a frame without object


def clip_figures(truth: Truth, video: Bytes) -> dict[str, Floats]:
    """Compare stored clips with the truth.

    Args:
        truth: Of N clips.
        video: uint8 ``(N, T, 3, H, W)``, the reconstructions.

    Returns:
        ``(N, T)`` figures of every frame: ``square_error`` (mean square error), ``object_square_error`` and
        ``object_pixels`` (sum of square errors over the pixels near the objects, and their number) and ``surplus``
        (objects beyond the true ones). ``(N, T, K)`` figures of every object: ``valid``, ``visible`` (in a frame
        without surplus), ``centroid_error``, ``radius_error`` and ``color_error``: the difference of the mean colors
        over the union of both objects' areas, 0 to 255; an object that is not matched costs its contrast.
    """
    height, width = video.shape[-2:]
    difference = (video.astype(np.float32) - truth.video.astype(np.float32)) / 255
    square_error = np.square(difference).mean(axis=2)
    own = find_counterparts(truth, video)
    matched, alone = own.matched, (own.surplus == 0)[..., None]
    mask = union_mask(truth.pixel, truth.radius + OBJECT_MARGIN, height, width)
    mask |= union_mask(own.pixel, own.radius + OBJECT_MARGIN, height, width)
    area = np.union1d(truth.area, object_area(video, truth.background, own.pixel, own.radius, truth.contrast))
    own_difference = color_difference(difference, area, truth.radius.shape[2])
    color_error = np.where(matched, own_difference, truth.color_contrast)
    return {
        "square_error": square_error.mean(axis=(2, 3)).astype(np.float64),
        "object_square_error": (square_error * mask).sum(axis=(2, 3)).astype(np.float64),
        "object_pixels": mask.sum(axis=(2, 3)).astype(np.float64),
        "valid": truth.valid.astype(np.float64),
        "surplus": own.surplus.astype(np.float64),
        "visible": (matched & alone).astype(np.float64),
        "centroid_error": np.fmin(own.distance, MISSING_ERROR),  # also where it is NaN
        "radius_error": own.radius_error,
        "color_error": 255 * color_error,
    }


def moving_figures(truth: Truth, video: Bytes) -> dict[str, Floats]:
    """Return ``(N, T)`` sums of square errors over the pixels that move, ``moving_square_error``, and their number.

    The number is ``moving_pixels``; both are 0 in still clips.

    Args:
        truth: Of N clips.
        video: uint8 ``(N, T, 3, H, W)``, the reconstructions.
    """
    clip, frame, row, column = truth.moving_at
    picture = clip * video.shape[1] + frame
    own = video[clip, frame, :, row, column].astype(np.float32) / 255
    square_error = np.square(own - truth.moving_colors).mean(axis=1)
    shape, count = video.shape[:2], video.shape[0] * video.shape[1]
    return {
        "moving_square_error": np.asarray(np.bincount(picture, square_error, count).reshape(shape), dtype=np.float64),
        "moving_pixels": np.asarray(np.bincount(picture, minlength=count).reshape(shape), dtype=np.float64),
    }
