"""A film's background is found where its camera is fixed, and nowhere else."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from trajvq.data.imports.background import FrameSample, common_background, film_background, median
from trajvq.data.imports.camera_motion import camera_moved, noise

SIDE, FRAMES = 80, 200
GRID = np.mgrid[:SIDE, :SIDE]


def texture(side: int, rng: np.random.Generator) -> np.ndarray:
    rough = ndimage.gaussian_filter(rng.normal(size=(side, side)), 2)
    return np.asarray(120 + 15 * rough / rough.std())


def film(ground: Callable[[int], np.ndarray], objects: int, rng: np.random.Generator, sigma: float = 2) -> np.ndarray:
    """Bright spots that wander over a ground: uint8 (T, H, W, 3)."""
    start, step = rng.uniform(10, SIDE - 10, (objects, 2)), rng.normal(size=(objects, 2))
    frames = np.empty((FRAMES, SIDE, SIDE, 3), np.uint8)
    for t in range(FRAMES):
        picture = ground(t).copy()
        for row, column in (start + step * t) % SIDE:
            picture += 60 * np.exp(-((GRID[0] - row) ** 2 + (GRID[1] - column) ** 2) / 12)
        picture += rng.normal(0, sigma, picture.shape)
        frames[t] = picture.round().clip(0, 255)[..., None]
    return frames


def sampled(frames: np.ndarray) -> FrameSample:
    sample = FrameSample()
    for k in range(len(frames)):
        sample.add(lambda: frames[k])  # noqa: B023  # called at once
    return sample


@pytest.mark.parametrize("objects", [1, 3, 12])
@pytest.mark.parametrize("textured", [True, False])
def test_a_fixed_camera_gives_the_ground_without_the_objects(objects: int, textured: bool) -> None:
    rng = np.random.default_rng(objects)
    ground = texture(SIDE, rng) if textured else np.full((SIDE, SIDE), 90.0)
    background = film_background(sampled(film(lambda t: ground, objects, rng)))
    assert background is not None
    error = np.abs(background.picture[..., 0] - ground)
    assert error.mean() < 1
    assert np.quantile(error, 0.99) < 4


@pytest.mark.parametrize("speed", [0.05, 0.2, 1.5])
def test_a_moving_camera_gives_none(speed: float) -> None:
    rng = np.random.default_rng(3)
    wide = texture(SIDE + int(speed * FRAMES) + 2, rng)

    def ground(t: int) -> np.ndarray:
        whole, part = divmod(t * speed, 1)
        k = int(whole)
        return (1 - part) * wide[:SIDE, k : k + SIDE] + part * wide[:SIDE, k + 1 : k + 1 + SIDE]

    assert film_background(sampled(film(ground, 2, rng))) is None


def test_a_window_that_follows_over_sparse_marks_on_black_is_no_fixed_camera() -> None:
    """Most pixels stay black, so that the median explains them; the marks shift together all the same."""
    rng = np.random.default_rng(0)
    wide = np.zeros((SIDE, SIDE + FRAMES))
    for row, column in zip(rng.integers(2, SIDE - 4, 260), rng.integers(2, SIDE + FRAMES - 4, 260), strict=True):
        wide[row : row + 3, column : column + 3] = 25
    sample = sampled(film(lambda t: wide[:, t : t + SIDE], 0, rng, 0.5))
    assert common_background(sample) is not None
    assert film_background(sample) is None


def test_short_films_on_one_ground_have_it_in_common_and_others_have_none() -> None:
    rng = np.random.default_rng(5)
    same = np.concatenate([film(lambda t: np.full((SIDE, SIDE), 200.0), 1, rng)[:4] for _ in range(6)])
    background = common_background(sampled(same))
    assert background is not None
    assert np.abs(background.picture.astype(int) - 200).max() <= 3
    grays = [film(lambda t, gray=gray: np.full((SIDE, SIDE), gray), 1, rng)[:4] for gray in (150.0, 154.0, 158.0)]  # type: ignore[misc]
    assert common_background(sampled(np.concatenate(grays))) is None


def test_the_sample_is_bounded_and_even() -> None:
    sample = FrameSample()
    for k in range(20_000):
        sample.add(lambda: np.full((2, 2, 3), k // 100, np.uint8))  # noqa: B023
    kept = sample.frames()[:, 0, 0, 0].astype(int)
    assert 60 <= len(kept) <= 129
    assert np.diff(kept).max() <= 2 * np.diff(kept).mean() + 1


def test_the_median_and_the_noise_are_right() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (9, 12, 14, 3), dtype=np.uint8)
    assert np.array_equal(median(frames), np.median(frames, axis=0).astype(np.uint8))
    slope = np.add.outer(np.arange(60.0), np.arange(50.0)).astype(np.float32)
    assert abs(noise(slope + rng.normal(0, 3, slope.shape).astype(np.float32)) - 3) < 0.2


def test_one_moving_object_is_no_moving_camera() -> None:
    frames = film(lambda t: np.full((SIDE, SIDE), 90.0), 1, np.random.default_rng(1)).mean(axis=-1).astype(np.float32)
    assert not any(camera_moved(frames[k], frames[k + 8]) for k in range(0, FRAMES - 8, 8))
