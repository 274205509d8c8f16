"""The order of an array's axes is found from its shape and its pixels, or asked for."""

from pathlib import Path

import numpy as np
import pytest

from trajvq.data.imports.axes import order_of
from trajvq.errors import DataError

HERE = Path("v.npy")


def smooth(videos: int, frames: int) -> np.ndarray:
    """Videos in which a square moves by a pixel a frame."""
    clips = np.zeros((videos, frames, 32, 32), np.uint8)
    rng = np.random.default_rng(0)
    for clip in clips:
        row, column = rng.integers(0, 20, 2)
        for t in range(frames):
            clip[t, row : row + 8, (column + t) % 24 : (column + t) % 24 + 8] = 200
    return clips


@pytest.mark.parametrize(("videos", "frames"), [(20, 10), (10, 20), (12, 12)])
def test_time_is_the_axis_along_which_pictures_change_less(videos: int, frames: int) -> None:
    clips = smooth(videos, frames)
    assert order_of(clips, None, HERE)[0] == "NTHW"
    assert order_of(clips.transpose(1, 0, 2, 3), None, HERE)[0] == "TNHW"


def test_an_array_that_may_be_either_is_asked_for() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (8, 12, 16, 16), dtype=np.uint8)
    with pytest.raises(DataError, match="--axes NTHW or --axes TNHW"):
        order_of(noise, None, HERE)
    assert order_of(noise, "nthw", HERE)[0] == "NTHW"


@pytest.mark.parametrize(
    ("shape", "order"), [((20, 16, 16, 3), "THWC"), ((40, 1, 32, 32), "TCHW"), ((40, 32, 30), "THW")]
)
def test_one_video_may_lack_the_axis_of_videos(shape: tuple[int, ...], order: str) -> None:
    assert order_of(np.zeros(shape), None, HERE)[0] == order


@pytest.mark.parametrize(
    ("shape", "axes"), [((4, 5), None), ((4, 5, 8, 8), "NTCHW"), ((4, 5, 2, 8, 8), "NTCHW"), ((0, 5, 8, 8), None)]
)
def test_shapes_that_fit_no_order_are_an_error(shape: tuple[int, ...], axes: str | None) -> None:
    with pytest.raises(DataError, match="shape"):
        order_of(np.zeros(shape), axes, HERE)


@pytest.mark.parametrize(
    "shape",
    [
        (30, 32, 32, 12),  # NHWT
        (32, 32, 60),  # HWT
        (32, 32, 3, 40),  # HWCT
        (32, 32, 40, 3),  # HWTC
        (30, 32, 32, 12, 3),  # NHWTC
        (6, 32, 48, 16),  # NHWT
        (32, 220, 100),  # HWT
        (6, 32, 48, 16, 3),  # NHWTC
        (3, 12, 32, 32),  # CTHW or NTHW
        (10, 20, 4096),  # flattened frames
        (4, 3, 3, 32, 32),  # NTCHW or NCTHW
    ],
)
def test_shapes_with_implausible_frames_are_asked_about(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    with pytest.raises(DataError, match="give .*--axes "):
        order_of(noise, None, HERE)


@pytest.mark.parametrize(
    ("shape", "order"),
    [
        ((20, 32, 200), "THW"),
        ((20, 64, 32), "THW"),
        ((6, 16, 32, 90, 3), "NTHWC"),
        ((6, 16, 1, 90, 32), "NTCHW"),
        ((20, 3, 90, 32), "TCHW"),
    ],
)
def test_wide_frames_and_tall_ones_behind_their_colors_are_not_asked_about(shape: tuple[int, ...], order: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    assert order_of(noise, None, HERE)[0] == order


def test_copies_of_one_video_are_asked_about() -> None:
    with pytest.raises(DataError, match="--axes NTHW or --axes TNHW"):
        order_of(smooth(1, 12).repeat(8, axis=0), None, HERE)


def test_labels_tell_the_axis_of_videos() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (8, 12, 1, 16, 16), dtype=np.uint8)
    assert order_of(noise, None, HERE, labels=8) == ("NTCHW", "")
    assert order_of(noise, None, HERE, labels=12) == ("TNCHW", ", since there are 12 labels")
    assert order_of(noise[:, :, 0], None, HERE, labels=12)[0] == "TNHW"


def test_five_axes_that_clearly_begin_with_time_are_asked_about() -> None:
    videos = smooth(30, 12)[:, :, None]
    assert order_of(videos, None, HERE) == ("NTCHW", "")
    with pytest.raises(DataError, match="--axes NTCHW or --axes TNCHW"):
        order_of(videos.transpose(1, 0, 2, 3, 4), None, HERE)


def test_clips_come_first_unless_their_number_says_otherwise() -> None:
    alike = np.random.default_rng(0).integers(0, 240, (1, 8, 3, 16, 16)) + np.arange(12).reshape(12, 1, 1, 1, 1)
    with pytest.raises(DataError, match="--axes"):
        order_of(alike, None, HERE)
    assert [order_of(alike, None, HERE, clips=clips)[0] for clips in (12, 8, 0)] == ["NTCHW", "TNCHW", "NTCHW"]
    assert order_of(np.zeros((4, 16, 48, 16, 3), np.uint8), None, HERE, clips=4)[0] == "NTHWC"
