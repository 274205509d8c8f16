"""Frames are shrunk without distortion, cropped where asked, or cut into windows that show every pixel once."""

import numpy as np
import pytest

from trajvq.data.imports.framing import Framing, fit_inside
from trajvq.errors import DataError


def test_frames_are_shrunk_without_distortion() -> None:
    video = np.zeros((2, 300, 600, 3), dtype=np.uint8)
    video[:, 100:200, 250:350] = 255
    for height, width in ((64, 64), (72, 96)):
        small = fit_inside(video, height, width)
        rows, columns = np.nonzero(small[0, ..., 0] > 128)
        assert small.shape == (2, height, width, 3)
        assert abs(np.ptp(rows) - np.ptp(columns)) <= 1


def test_windows_show_every_pixel_of_whole_windows_once() -> None:
    frames = np.arange(2 * 20 * 29 * 3, dtype=np.uint64).astype(np.uint8).reshape(2, 20, 29, 3)
    framing = Framing(8, 8, tile=True)
    windows = list(framing.windows(framing.frame(frames)))
    assert len(windows) == 2 * 3
    rows = [np.concatenate(windows[k : k + 3], axis=2) for k in (0, 3)]
    assert np.array_equal(np.concatenate(rows, axis=1), frames[:, 2:18, 2:26])
    assert "3 x 2 windows, 5 columns and 4 rows at the edges are left out" in framing.describe(20, 29)


def test_a_crop_comes_before_windows() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 40, 50, 3), dtype=np.uint8)
    assert np.array_equal(Framing(16, 24, (5, 6, 24, 16)).frame(frames), frames[:, 6:22, 5:29])
    tiled = Framing(8, 8, (5, 6, 24, 16), tile=True)
    windows = list(tiled.windows(tiled.frame(frames)))
    assert len(windows) == 6
    assert np.array_equal(windows[4], frames[:, 14:22, 13:21])


def test_what_does_not_fit_is_an_error_that_names_the_size() -> None:
    with pytest.raises(DataError, match="not inside frames of 50x40"):
        Framing(16, 16, (40, 0, 16, 16)).check(40, 50, "v")
    with pytest.raises(DataError, match="smaller than windows of 64x64"):
        Framing(64, 64, tile=True).check(40, 50, "v")
    Framing(64, 64).check(40, 50, "v")
