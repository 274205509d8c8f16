"""The ground truth of clips that figures compare with: stored, or tracked where nothing is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from trajvq.io.arrays import Bytes, Floats, shown_in, visible_in
from trajvq.io.video import to_uint8
from trajvq.metrics.background import estimate_background, stored_background
from trajvq.metrics.matching import MATCH_DISTANCE
from trajvq.metrics.reconstruction.areas import LEAST_RADIUS, color_difference, disc_mask, object_area
from trajvq.metrics.reconstruction.moving import moving_pixels
from trajvq.metrics.reconstruction.ssim import Moments, moments, pictures_of
from trajvq.metrics.tracking import contrast_of, find_objects

OBJECT_QUANTILE = 0.999  # of a clip's differences from a textured background, taken as the object's contrast
INSIDE_QUANTILE = 0.5  # of those of the objects' own pixels, where these are fewer than the 0.1 % beyond


@dataclass(frozen=True)
class Truth:
    """True positions, sizes and contrasts of the objects of N clips, K in each.

    Attributes:
        video: uint8 ``(N, T, 3, H, W)``.
        background: uint8 ``(N, 1, 3, H, W)``.
        pixel: ``(N, T, K, 2)`` true (x, y) in pixels; NaN where there is no object.
        radius: ``(N, T, K)`` pixels.
        contrast: ``(N, K)`` mean absolute difference between object and background in [0, 1].
        peak: ``(N, T, K)`` the same for each frame, as far as it is known, in [0, 1]; NaN where there is no object.
        valid: bool ``(N, T, K)``: frames in which the object is visible; figures count only these.
        labels: int32 ``(N, T, H, W)``: 1 + number of the object, of the K of its frame, that a pixel belongs to; 0 for
            none.
        tracked: Whether the target was tracked, since no truth is stored. The K objects of a frame are then those of
            no other frame.
    """

    video: Bytes
    background: Bytes
    pixel: Floats
    radius: Floats
    contrast: Floats
    peak: Floats
    valid: NDArray[np.bool_]
    labels: NDArray[np.int32]
    tracked: bool

    @cached_property
    def numbers(self) -> NDArray[np.int32]:
        """``(N T, H, W)``: 1 + number of the object, counted over all frames, that a pixel belongs to; 0 for none."""
        count, frames, objects = self.radius.shape
        first = objects * np.arange(count * frames, dtype=np.int32)[:, None, None]
        labels = self.labels.reshape(count * frames, *self.labels.shape[2:])
        return np.where(labels > 0, labels + first, 0).astype(np.int32)

    @cached_property
    def pixels(self) -> Floats:
        """``(N, T, K)`` number of pixels of each object: those found, or the area of the disc."""
        if not self.tracked:
            return np.where(np.isfinite(self.pixel[..., 0]), np.pi * np.nan_to_num(self.radius) ** 2, 0.0)
        numbers = self.numbers[self.numbers > 0] - 1
        return np.bincount(numbers, minlength=self.radius.size).reshape(self.radius.shape).astype(np.float64)

    @cached_property
    def surroundings(self) -> NDArray[np.bool_]:
        """``(N T, H, W)``: pixels within 8 px of an object, along rows and columns."""
        window = 2 * int(MATCH_DISTANCE) + 1
        return np.asarray(ndimage.maximum_filter(self.numbers > 0, (1, window, window)))

    @cached_property
    def area(self) -> NDArray[np.int64]:
        """``(P,)`` pixels of the objects, as `object_area` finds them; computed once for all rows."""
        return object_area(self.video, self.background, self.pixel, self.radius, self.contrast)

    @cached_property
    def color_contrast(self) -> Floats:
        """``(N, T, K)`` difference between the mean colors of target and background over `area`, in [0, 1]."""
        difference = (self.video.astype(np.float32) - self.background) / 255
        return color_difference(difference, self.area, self.radius.shape[2])

    @cached_property
    def pictures(self) -> tuple[Tensor, Moments]:
        """Frames float ``(N T, 3, H, W)`` in [0, 1], and their moments for SSIM; computed once for all rows."""
        pictures = pictures_of(self.video)
        return pictures, moments(pictures)

    @cached_property
    def moving(self) -> NDArray[np.bool_]:
        """``(N, T, H, W)``: pixels that move, as `moving_pixels` finds them; none in a still clip."""
        return moving_pixels(self.video)

    @cached_property
    def moving_at(self) -> tuple[NDArray[np.int64], ...]:
        """Clips, frames, rows and columns ``(P,)`` of the P pixels that move; found once for all rows."""
        return np.unravel_index(np.flatnonzero(self.moving), self.moving.shape)

    @cached_property
    def moving_colors(self) -> NDArray[np.float32]:
        """``(P, 3)`` colors of the target there, in [0, 1]."""
        clip, frame, row, column = self.moving_at
        return np.asarray(self.video[clip, frame, :, row, column].astype(np.float32) / 255)

    @cached_property
    def moves(self) -> NDArray[np.bool_]:
        """``(N,)``: whether anything moves in a clip."""
        return np.asarray(self.moving.any(axis=(1, 2, 3)))


def background_of(batch: Mapping[str, Tensor]) -> Tensor:
    """Return the background of a batch, float ``(B, 3, 1, H, W)``: the stored one, or an estimate."""
    if "background" in batch:
        return stored_background(batch["background"], batch["video"])
    return estimate_background(batch["video"])


def truth_of(batch: Mapping[str, Tensor]) -> Truth:
    """Return the ground truth of a batch; where none is stored, of the tracked target.

    Args:
        batch: ``video`` float ``(B, 3, T, H, W)`` in [0, 1] and perhaps ``background``, ``pixel`` with ``radius`` and
            ``color``, and ``occluded``, as `Clips.batch` gives them.
    """
    video = to_uint8(batch["video"])
    background = to_uint8(background_of(batch))
    if "pixel" not in batch:
        return _tracked(video, background)
    pixel, radius, color = (batch[name].double().cpu().numpy() for name in ("pixel", "radius", "color"))
    valid = visible_in(pixel, batch["occluded"].cpu().numpy() if "occluded" in batch else None)
    labels = disc_labels(pixel, radius, *video.shape[-2:])
    contrast = _object_contrast(video, background, color / 255, disc_share(labels, valid))
    contrast = np.where(np.isfinite(pixel).any(axis=(1, 3)), contrast, np.nan)
    peak = np.where(np.isfinite(pixel[..., 0]), contrast[:, None], np.nan)
    return Truth(video, background, pixel, radius, contrast, peak, valid, labels, tracked=False)


def _tracked(video: Bytes, background: Bytes) -> Truth:
    """Return what the tracker finds in targets."""
    objects = find_objects(video, background)
    tracks = objects.tracks
    valid = shown_in(tracks.pixel)
    strongest = contrast_of(video, background).max(axis=(2, 3))
    contrast = np.full((len(video), valid.shape[2]), np.nan)
    for clip in np.flatnonzero(valid.any(axis=(1, 2))):
        with_objects = valid[clip].any(axis=1)  # the others show noise, which is no contrast of objects
        contrast[clip, valid[clip].any(axis=0)] = np.median(strongest[clip, with_objects])
    return Truth(
        video, background, tracks.pixel, tracks.radius, contrast, objects.peak, valid, objects.labels, tracked=True
    )


def disc_labels(pixel: Floats, radius: Floats, height: int, width: int) -> NDArray[np.int32]:
    """Return the labels of discs, see `Truth`; where they overlap, a pixel belongs to the first."""
    labels = np.zeros((*pixel.shape[:2], height, width), dtype=np.int32)
    for k in reversed(range(pixel.shape[2])):
        labels[disc_mask(pixel[:, :, k], np.maximum(radius[:, :, k], LEAST_RADIUS), height, width)] = k + 1
    return labels


def disc_share(labels: NDArray[np.int32], valid: NDArray[np.bool_]) -> Floats:
    """Return ``(N,)`` shares of the pixels of clips that belong to objects which are visible.

    Args:
        labels: ``(N, T, H, W)``; see `Truth`.
        valid: ``(N, T, K)``; see `Truth`.
    """
    of_label = np.pad(valid, ((0, 0), (0, 0), (1, 0)))[..., None]  # 0 belongs to none
    member = np.take_along_axis(of_label, labels.reshape(*labels.shape[:2], -1, 1), axis=2)
    return np.asarray(member.mean(axis=(1, 2, 3)))


def textured_contrast(video: Bytes, background: Bytes, share: Floats) -> Floats:
    """Return ``(N,)`` contrasts of objects with textured backgrounds in [0, 1], from the pixels that differ most.

    Args:
        video: uint8 ``(N, T, 3, H, W)``.
        background: uint8 ``(N, 1, 3, H, W)``.
        share: ``(N,)`` of `disc_share`. Objects that cover less than 0.1 % of a clip have their median contrast.
    """
    small = (share > 0) & (share < 1 - OBJECT_QUANTILE)
    quantile = np.where(small, 1 - INSIDE_QUANTILE * share, OBJECT_QUANTILE).tolist()
    difference = contrast_of(video, background)
    return np.array([np.quantile(of, q) for of, q in zip(difference, quantile, strict=True)], dtype=np.float64)


def _object_contrast(video: Bytes, background: Bytes, color: Floats, share: Floats) -> Floats:
    """Return ``(N, K)`` contrasts of objects of ``(N, K, 3)`` colors with their backgrounds; ``share`` as above."""
    flat = np.asarray(np.abs(color - (background / 255.0)[:, :, :, 0, 0]).mean(axis=-1))
    textured = np.flatnonzero((background != background[..., :1, :1]).any(axis=(1, 2, 3, 4)))
    if len(textured):
        flat[textured] = textured_contrast(video[textured], background[textured], share[textured])[:, None]
    return flat
