"""Stored values become uint8 by one scale for all videos, and what is in range already is not touched."""

import numpy as np
import pytest

from trajvq.data.imports.levels import Levels
from trajvq.errors import DataError


def film(low: float, high: float, dtype: str = "float64", frames: int = 10) -> np.ndarray:
    values = np.random.default_rng(0).uniform(low, high, (frames, 16, 16, 1))
    return values.astype(dtype)


def measured(*videos: np.ndarray) -> tuple[Levels, str]:
    levels = Levels()
    for video in videos:
        levels.observe(np.array_split(video, 3), "v")
    return levels, levels.set_range("v")


def test_bytes_and_floats_between_0_and_1_stay_what_they_are() -> None:
    stored = film(0, 255, "uint8")
    levels, said = measured(stored)
    assert said == ""
    assert np.array_equal(levels.convert(stored, "v"), np.repeat(stored, 3, axis=-1))
    levels, said = measured(stored / np.float32(255))
    assert said == ""
    assert np.array_equal(levels.convert(stored / np.float32(255), "v")[..., :1], stored)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32"])
def test_one_scale_serves_all_videos(dtype: str) -> None:
    dim, bright = film(83, 110, dtype), film(100, 143, dtype)
    levels, said = measured(dim, bright)
    assert "scaled to 0 to 255" in said
    assert dtype in said
    low, high = levels.range or (0.0, 0.0)
    assert 83 <= low < 85
    assert 139 < high <= 143
    for piece in (dim, bright):
        expected = (piece.astype(float) - low) / (high - low) * 255
        assert np.abs(levels.convert(piece, "v")[..., :1] - expected.clip(0, 255)).max() <= 0.5


def test_a_hot_pixel_and_a_flash_do_not_set_the_scale() -> None:
    stored = film(83, 143, "uint16", frames=300)
    stored[:, 3, 3] = 65535
    stored[17] = 60000
    levels, said = measured(stored)
    assert levels.range is not None
    assert levels.range[1] <= 143
    assert "60000" in said or "65535" in said
    assert levels.convert(stored, "v")[0, 3, 3, 0] == 255


def microscope(radius: float, steps: float = 2.7, peak: float = 4000) -> np.ndarray:
    """16 frames of 64 x 64 pixels: a spot on a background of 1000 +- 10 that moves some pixels a frame."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    center = 12.3 + steps * np.arange(16)[:, None, None]
    spot = peak * np.exp(-((x - center) ** 2 + (y - center / 2) ** 2) / (2 * radius**2))
    film: np.ndarray = (1000 + 10 * rng.standard_normal((16, 64, 64)) + spot).round()
    return film.astype(np.uint16)[..., None]


@pytest.mark.parametrize("radius", [0.4, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("steps", [0.0, 0.05, 2.7])
@pytest.mark.parametrize("peak", [-900, 4000])
def test_a_small_object_stays_inside_the_range_with_a_stuck_pixel_or_without(
    radius: float, steps: float, peak: float
) -> None:
    stored = microscope(radius, steps, peak)
    least, most = stored.min(), stored.max()
    levels, said = measured(stored)
    assert levels.range == (least, most)
    assert "clamped" not in said
    stored[:, 50, 3], stored[:, 60, 40] = 65535, 0
    levels, said = measured(stored)
    assert levels.range is not None
    assert levels.range == pytest.approx((least, most), abs=20)
    assert "stuck pixels, flashes and single frames from 0 to 65535 are clamped" in said


def test_an_object_in_a_few_frames_of_a_long_film_stays_inside_the_range() -> None:
    stored = np.random.default_rng(0).normal(1000, 10, (1500, 16, 16, 1)).astype(np.uint16)
    stored[700:708] = np.maximum(stored[700:708], microscope(0.8)[:8, :16, 10:26])
    most = stored.max()
    assert most > 2000
    stored[:, 3, 3], stored[::400, 8, 8] = 60000, 50000  # a hot pixel, and cosmic rays
    stored[300:303] += 20000  # a flash
    levels, _ = measured(stored)
    assert levels.range is not None
    assert levels.range[1] == most


def test_a_bright_video_among_many_is_no_flash() -> None:
    levels, said = measured(*[film(83, 110, "uint16")] * 150, film(500, 900, "uint16"))
    assert levels.range is not None
    assert levels.range[1] > 890
    assert "clamped" not in said


def test_a_tiny_excess_is_clamped_and_said_and_a_large_one_is_a_range() -> None:
    levels, said = measured(film(-0.01, 1.02))
    assert "clamped to [0, 1]" in said
    assert levels.range is None
    assert levels.convert(np.array([[[[1.02]], [[-0.01]]]]), "v")[0, :, 0, 0].tolist() == [255, 0]
    levels, said = measured(film(-1, 1))
    assert "scaled" in said


def test_without_a_measured_range_only_what_needs_none_is_accepted() -> None:
    for piece, words in ((film(0, 255), "scale floats"), (film(83, 143, "uint16"), "uint16")):
        with pytest.raises(DataError, match=words):
            Levels().convert(piece, "v")
    assert Levels().convert(film(0, 1.02), "v").max() == 255


def test_what_has_no_scale_is_an_error() -> None:
    with pytest.raises(DataError, match="uint16 and uint8"):
        measured(film(0, 255, "uint8"), film(0, 255, "uint16"))
    with pytest.raises(DataError, match="all values"):
        measured(np.full((3, 8, 8, 1), 7, np.uint16))
    with pytest.raises(DataError, match="NaN"):
        measured(np.full((3, 8, 8, 1), np.nan))
