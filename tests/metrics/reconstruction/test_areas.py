"""Areas of objects are lists of pixels: the same as masks, in the memory that the pixels need."""

import tracemalloc

import numpy as np
import torch

from trajvq.io.arrays import Bytes
from trajvq.io.video import to_float
from trajvq.metrics.reconstruction.areas import color_difference, disc_mask, disc_pixels, object_area, union_mask
from trajvq.metrics.reconstruction.objects import clip_figures
from trajvq.metrics.reconstruction.truth import truth_of
from trajvq.metrics.tracking import contrast_of


def test_lists_of_pixels_are_masks() -> None:
    rng = np.random.default_rng(0)
    shape, height, width = (2, 3, 300), 20, 28  # more discs than are rendered together
    pixel, radius = rng.uniform(-4, 30, (*shape, 2)), rng.uniform(0, 6, shape)
    pixel[0, 1, :200] = np.nan
    y, x = np.mgrid[:height, :width] + 0.5
    distance = np.hypot(*(at - pixel[..., axis, None, None] for axis, at in enumerate((x, y))))
    discs = distance <= radius[..., None, None]
    np.testing.assert_array_equal(disc_pixels(pixel, radius, height, width), np.flatnonzero(discs))
    np.testing.assert_array_equal(disc_mask(pixel, radius, height, width), discs)
    np.testing.assert_array_equal(union_mask(pixel, radius, height, width), discs.any(axis=2))
    video = rng.integers(0, 256, (2, 3, 3, height, width), dtype=np.uint8)
    background = np.full((2, 1, 3, height, width), 128, dtype=np.uint8)
    contrast = rng.uniform(0, 1, (2, 300))
    solid = contrast_of(video, background)[:, :, None] >= 0.5 * contrast[:, None, :, None, None]
    area = distance <= np.maximum(radius, 0.5**0.5)[..., None, None]
    area |= solid & (distance <= radius[..., None, None] + 2)
    pixels = object_area(video, background, pixel, radius, contrast)
    np.testing.assert_array_equal(pixels, np.flatnonzero(area))
    difference = (video.astype(float) - background) / 255
    means = (difference[:, :, None] * area[:, :, :, None]).sum(axis=(4, 5)) / np.maximum(area.sum(axis=(3, 4)), 1)[
        ..., None
    ]
    np.testing.assert_allclose(color_difference(difference, pixels, 300), np.abs(means).mean(axis=-1))


def peak(video: Bytes) -> int:
    """Return the bytes that it takes to score clips against themselves, and against black."""
    tracemalloc.start()
    truth = truth_of({"video": to_float(torch.from_numpy(video))})
    clip_figures(truth, video)
    clip_figures(truth, np.zeros_like(video))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_a_noisy_frame_takes_no_memory_for_the_others() -> None:
    video = np.full((4, 16, 3, 64, 64), 230, dtype=np.uint8)
    for frame in range(16):
        video[:, frame, :, 20:26, 5 + 3 * frame : 11 + 3 * frame] = 20
    clean = peak(video)
    video[0, 7] = np.where(np.random.default_rng(0).random((64, 64)) < 0.1, 30, 230)  # some 250 objects
    assert peak(video) < 2.5 * clean
