"""Strips show target, reconstruction and error."""

from pathlib import Path

import numpy as np
from PIL import Image

from trajvq.report.pictures import save_png
from trajvq.report.strips import render_sheet, save_gif, shown_range


def test_a_sheet_shows_target_over_reconstruction_over_error(tmp_path: Path) -> None:
    target = np.zeros((2, 4, 3, 10, 12), dtype=np.uint8)
    target[:, :, 0] = 200
    reconstruction = target.copy()
    reconstruction[:, 2] = 100
    picture = render_sheet(target, reconstruction, scale=1)
    assert picture.shape == (2 * 36 + 3, 4 * 14, 3)
    assert picture[0, 0].tolist() == [200, 0, 0]
    assert picture[12, 2 * 14].tolist() == [100, 100, 100]
    assert picture[24, 0].tolist() == [255, 255, 255]
    assert picture[24, 2 * 14].tolist() == [55, 55, 55]
    save_png(picture, tmp_path / "a/b.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a/b.png")), picture)


def test_faint_clips_are_stretched_alike_and_that_is_said(tmp_path: Path) -> None:
    target = np.full((2, 4, 3, 10, 60), 90, dtype=np.uint8)
    target[:, :, :, 2:5, 2:5] = 130
    target[1, :, :, 6, 6] = 255
    reconstruction = target.copy()
    reconstruction[:, :, :, 2:5, 2:5] = 110
    picture = render_sheet(target, reconstruction, scale=1)
    assert picture.shape == (14 + 2 * 36 + 3, 4 * 62, 3)
    assert picture[:14].min() < 50  # the letters of the title
    faint, other = picture[14:50], picture[14 + 36 + 3 :]
    assert [int(faint[row, 0, 0]) for row in (0, 12)] == [0, 0]
    assert [int(faint[row, 3, 0]) for row in (3, 15)] == [255, 128]
    assert [int(other[row, 3, 0]) for row in (3, 15)] == [130, 110]
    save_gif(target, reconstruction, tmp_path / "a.gif", scale=1)
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.size == (2 * 62, 14 + 36)


def test_a_flat_clip_is_not_blown_up() -> None:
    flat = np.full((4, 3, 8, 8), 250, dtype=np.uint8)
    low, high = shown_range(flat)
    assert high - low >= 16
    assert 0 <= low <= 250 <= high <= 255


def test_an_animation_keeps_the_colors_of_small_objects(tmp_path: Path) -> None:
    target = np.full((6, 4, 3, 32, 32), 255, dtype=np.uint8)
    colors = np.random.default_rng(0).integers(0, 200, (6, 3))
    for clip, color in enumerate(colors):
        for frame in range(4):
            target[clip, frame, :, 10:12, 10 + frame : 12 + frame] = color[:, None, None]
    save_gif(target, target, tmp_path / "a.gif", scale=1)
    with Image.open(tmp_path / "a.gif") as animation:
        assert getattr(animation, "n_frames", 1) == 4
        first = np.asarray(animation.convert("RGB")).astype(int)
    for clip, color in enumerate(colors):
        assert np.abs(first[10, 10 + 34 * clip] - color).max() <= 8
