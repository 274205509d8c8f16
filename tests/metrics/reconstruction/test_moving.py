"""Moving pixels are found without tracking, in clean renders and in noisy films; noise alone does not move."""

import numpy as np
import pytest
from scipy import ndimage

from trajvq.data.synthetic.render import render_discs
from trajvq.metrics.reconstruction.moving import moving_pixels, temporal_noise

FRAMES, SIZE = 16, 48
RNG = np.random.default_rng(0)


def disc_clip(background: int, color: int, speed: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Return a clip uint8 ``(1, T, 3, H, W)`` of a disc that moves to the right, and its centers."""
    video = np.full((1, FRAMES, 3, SIZE, SIZE), background, dtype=np.uint8)
    pixel = np.stack([8 + speed * np.arange(FRAMES), np.full(FRAMES, 20.0)], axis=-1)[None]
    render_discs(video, pixel, np.full((1, FRAMES), 3.0), np.full((1, 3), color, dtype=np.uint8))
    return video, pixel


def with_noise(video: np.ndarray, deviation: float, channels: int) -> np.ndarray:
    """Add noise, the same to all channels or to each its own."""
    shape = (*video.shape[:2], channels, *video.shape[3:])
    return np.clip(np.rint(video + RNG.normal(0, deviation, shape)), 0, 255).astype(np.uint8)


def test_the_noise_is_the_median_second_difference_of_each_channel() -> None:
    still = np.full((2, FRAMES, 3, SIZE, SIZE), 100, dtype=np.uint8)
    assert (temporal_noise(still) == 0.25).all()
    still[:, :, 1] = with_noise(still[:, :, 1:2], 8.0, 1)[:, :, 0]
    noise = temporal_noise(still)
    assert (noise[:, [0, 2]] == 0.25).all()
    np.testing.assert_allclose(noise[:, 1], 0.6745 * 6**0.5 * 8.0, rtol=0.05)


@pytest.mark.parametrize("deviation", [0.6, 0.8, 1.0, 1.5])
def test_noise_of_a_level_is_measured_in_spite_of_rounding(deviation: float) -> None:
    noisy = with_noise(np.full((1, FRAMES, 3, SIZE, SIZE), 100, dtype=np.uint8), deviation, 1)
    rounded = (deviation**2 + 1 / 12) ** 0.5
    np.testing.assert_allclose(temporal_noise(noisy), 0.6745 * 6**0.5 * rounded, rtol=0.1)


@pytest.mark.parametrize(
    ("deviation", "channels"), [(0.0, 1), (0.2, 1), (0.4, 1), (0.5, 3), (0.8, 1), (2.0, 1), (6.0, 3)]
)
def test_noise_alone_does_not_move(deviation: float, channels: int) -> None:
    still = with_noise(np.full((4, FRAMES, 3, SIZE, SIZE), 120, dtype=np.uint8), deviation, channels)
    assert not moving_pixels(still).any()


@pytest.mark.parametrize(("color", "deviation"), [(0, 0.0), (0, 5.0), (180, 0.0), (150, 2.0)])
def test_a_disc_moves_in_front_of_noise(color: int, deviation: float) -> None:
    video, pixel = disc_clip(200, color)
    moving = moving_pixels(with_noise(video, deviation, 1))
    for frame, (x, y) in enumerate(pixel[0]):
        assert moving[0, frame, int(y), int(x)]
    beyond = np.ones((SIZE, SIZE), dtype=bool)
    beyond[14:26] = False  # rows that the disc crosses, and 2 px around
    assert moving[0][:, beyond].mean() < 0.001


def test_scaled_contrast_moves_the_same_pixels() -> None:
    video, _ = disc_clip(255, 0)
    faint = 255 - (255 - video) // 4
    assert (moving_pixels(video) != moving_pixels(faint)).mean() < 0.02


def test_an_object_in_one_channel_moves() -> None:
    video, _ = disc_clip(255, 0)
    video[:, :, :2] = 255
    assert moving_pixels(video).any()


def test_the_margin_is_two_pixels_and_three_pixels_are_still() -> None:
    for count in (3, 4):
        video = np.full((1, FRAMES, 3, SIZE, SIZE), 50, dtype=np.uint8)
        video[0, 7, :, 20, 10 : 10 + 8 * count : 8] = 60  # apart from one another, and too faint to leave a trail
        expected = video[0, :, 0] > 50
        squared = np.square(np.arange(-2, 3))
        disc = (squared[:, None] + squared <= 4)[None]
        expected = ndimage.binary_dilation(expected, disc) if count > 3 else np.zeros_like(expected)
        np.testing.assert_array_equal(moving_pixels(video)[0], expected)


def test_rounding_does_not_move() -> None:
    video = np.full((1, FRAMES, 3, SIZE, SIZE), 50, dtype=np.uint8)
    video[:, ::5] += 1
    assert not moving_pixels(video).any()


@pytest.mark.parametrize("frames", [1, 2])
def test_clips_too_short_for_noise_have_none(frames: int) -> None:
    video, _ = disc_clip(255, 0, speed=10)
    assert moving_pixels(video[:, :frames]).any() == (frames > 1)
