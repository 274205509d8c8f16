"""Stored values become uint8 by one scale for all videos, and what is in range already is not touched."""

import numpy as np
import pytest

from trajvq.data.imports.levels import Levels
from trajvq.errors import DataError


def film(low: float, high: float, dtype: str = "float64", frames: int = 10) -> np.ndarray:
    values = np.random.default_rng(0).uniform(low, high, (frames, 16, 16, 1))
    return values.astype(dtype)


def measured(*pieces: np.ndarray) -> tuple[Levels, str]:
    levels = Levels()
    for piece in pieces:
        levels.observe(piece, "v")
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
