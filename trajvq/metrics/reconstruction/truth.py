"""The ground truth of clips that figures compare with: stored, or tracked where nothing is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trajvq.io.arrays import Bytes, Floats
from trajvq.io.video import to_uint8
from trajvq.metrics.background import estimate_background, stored_background
from trajvq.metrics.reconstruction.areas import color_difference, object_area
from trajvq.metrics.reconstruction.moving import moving_pixels
from trajvq.metrics.tracking import contrast_of, track

OBJECT_QUANTILE = 0.999  # of a clip's differences from a textured background, taken as the object's contrast


@dataclass(frozen=True)
class Truth:
    """True positions, sizes and contrasts of the objects of N clips, K in each.

    Attributes:
        video: uint8 ``(N, T, 3, H, W)``.
        background: uint8 ``(N, 1, 3, H, W)``.
        pixel: ``(N, T, K, 2)`` true (x, y) in pixels; NaN where there is no object.
        radius: ``(N, T, K)`` pixels.
        contrast: ``(N, K)`` mean absolute difference between object and background in [0, 1].
        valid: bool ``(N, T, K)``: frames in which the object is visible; figures count only these.
    """

    video: Bytes
    background: Bytes
    pixel: Floats
    radius: Floats
    contrast: Floats
    valid: NDArray[np.bool_]

    @cached_property
    def area(self) -> NDArray[np.bool_]:
        """``(N, T, K, H, W)``: pixels of the objects, as `object_area` finds them; computed once for all rows."""
        return object_area(self.video, self.background, self.pixel, self.radius, self.contrast)

    @cached_property
    def color_contrast(self) -> Floats:
        """``(N, T, K)`` difference between the mean colors of target and background over `area`, in [0, 1]."""
        difference = (self.video.astype(np.float32) - self.background) / 255
        return color_difference(difference, self.area)

    @cached_property
    def moving(self) -> NDArray[np.bool_]:
        """``(N, T, H, W)``: pixels that move, as `moving_pixels` finds them; none in a still clip."""
        return moving_pixels(self.video)


def background_of(batch: Mapping[str, Tensor]) -> Tensor:
    """Return the background of a batch, float ``(B, 3, 1, H, W)``: the stored one, or an estimate."""
    if "background" in batch:
        return stored_background(batch["background"], batch["video"])
    return estimate_background(batch["video"])


def truth_of(batch: Mapping[str, Tensor]) -> Truth:
    """Return the ground truth of a batch; where none is stored, of the tracked target.

    Args:
        batch: ``video`` float ``(B, 3, T, H, W)`` in [0, 1] and perhaps ``background``, ``pixel`` with ``radius`` and
            ``color``, and ``occluded``, each with the axis of objects or, for a single object, without it.
    """
    video = to_uint8(batch["video"])
    background = to_uint8(background_of(batch))
    if "pixel" in batch:
        pixel, radius, color = (batch[name].double().cpu().numpy() for name in ("pixel", "radius", "color"))
        color = color / 255
        contrast = _object_contrast(video, background, color)
    else:
        tracks = track(video, background)
        pixel, radius = tracks.pixel, tracks.radius
        strongest = np.median(contrast_of(video, background).max(axis=(2, 3)), axis=1).astype(np.float64)
        contrast = np.repeat(strongest[:, None], pixel.shape[2], axis=1)
    valid = np.isfinite(pixel).all(axis=-1)
    if "pixel" in batch and "occluded" in batch:
        valid = valid & ~batch["occluded"].cpu().numpy()
    return Truth(video, background, pixel, radius, contrast, valid)


def _object_contrast(video: Bytes, background: Bytes, color: Floats) -> Floats:
    """Return ``(N, K)`` contrasts of objects of ``(N, K, 3)`` colors with their backgrounds."""
    if background.std(axis=(3, 4)).any():
        strongest = np.quantile(contrast_of(video, background), OBJECT_QUANTILE, axis=(1, 2, 3)).astype(np.float64)
        return np.repeat(strongest[:, None], color.shape[1], axis=1)
    return np.asarray(np.abs(color - (background / 255.0)[:, :, :, 0, 0]).mean(axis=-1))
