"""The tracker finds true objects to a few hundredths of a pixel, and nothing where there is nothing."""

import numpy as np
import pytest

from trajvq.data.synthetic.render import render_discs
from trajvq.data.synthetic.scene import make_clips
from trajvq.metrics.tracking import track


def white(color: np.ndarray) -> np.ndarray:
    return color[:, None, :, None, None]


@pytest.mark.parametrize("split", ["test", "ood_size", "ood_color", "ood_speed"])
def test_true_renders_are_tracked_to_hundredths_of_a_pixel(split: str) -> None:
    clips = make_clips(8, split, 0, 100, 16, 64)
    seen = track(clips["video"], white(clips["background"]))
    large = clips["radius"] >= 1.5
    error = np.linalg.norm(seen.pixel - clips["pixel"], axis=-1)[large]
    assert error.mean() <= 0.03
    assert error.max() <= 0.15
    assert (seen.count == 1).all()
    assert np.abs(seen.radius - clips["radius"])[large].max() < 0.15
    assert np.abs(255 * seen.color - clips["color"][:, None])[large].mean() < 2


def test_an_empty_frame_has_no_object() -> None:
    background = np.full((2, 1, 3, 32, 32), 200, dtype=np.uint8)
    video = np.repeat(background, 5, axis=1)
    seen = track(video, background)
    assert not seen.present.any()
    assert np.isnan(seen.pixel).all()
    assert (seen.radius == 0).all()


def test_components_do_not_join_across_frames_and_are_counted() -> None:
    video = np.zeros((1, 3, 3, 40, 40), dtype=np.uint8)
    paint = np.full((1, 3), 255, dtype=np.uint8)
    render_discs(video, np.full((1, 3, 2), 12.0), np.full((1, 3), 3.0), paint)
    render_discs(video[:, 1:2], np.full((1, 1, 2), 30.0), np.full((1, 1), 2.0), paint)
    seen = track(video, np.zeros((1, 1, 3, 40, 40), dtype=np.uint8))
    assert seen.count.tolist() == [[1, 2, 1]]
    np.testing.assert_allclose(seen.pixel, 12.0, atol=0.01)


def test_specks_and_casts_are_no_objects() -> None:
    background = np.zeros((1, 1, 3, 40, 40), dtype=np.uint8)
    speck, cast = np.zeros((2, 1, 1, 3, 40, 40), dtype=np.uint8)
    speck[..., 7, 9] = 255
    cast[...] = 20
    contrast, area = np.array([1.0]), np.full((1, 1), 20.0)
    assert track(speck, background, contrast, area).count.tolist() == [[0]]
    assert track(cast, background, contrast, area).count.tolist() == [[0]]
    assert track(speck, background, contrast, np.full((1, 1), 2.0)).count.tolist() == [[1]]
