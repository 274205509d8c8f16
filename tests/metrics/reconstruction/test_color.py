"""The color error is that of the object's whole area, its outline included."""

import numpy as np
import pytest
import torch
from torch import Tensor

from trajvq.data.synthetic.render import render_discs
from trajvq.io.video import to_float
from trajvq.metrics.reconstruction.objects import clip_figures
from trajvq.metrics.reconstruction.truth import truth_of

FRAMES, SIZE, RADIUS, OUTLINE = 8, 40, 5.0, 1.5
BLUE, PURPLE, BLACK = (0, 0, 255), (150, 0, 255), (0, 0, 0)


def clip(color: tuple[int, int, int], shift: float = 0.0, outline: tuple[int, int, int] = BLACK) -> np.ndarray:
    """Return a disc with an outline on white, uint8 ``(1, T, 3, H, W)``."""
    video = np.full((1, FRAMES, 3, SIZE, SIZE), 255, dtype=np.uint8)
    pixel = np.stack([9 + 2.0 * np.arange(FRAMES) + shift, np.full(FRAMES, 20.3)], axis=-1)[None]
    radius = np.full((1, FRAMES), RADIUS)
    render_discs(video, pixel, radius, np.array([outline], dtype=np.uint8))
    render_discs(video, pixel, radius - OUTLINE, np.array([color], dtype=np.uint8))
    return video


def batch(stored: bool) -> dict[str, Tensor]:
    columns = {"video": to_float(torch.from_numpy(clip(BLUE)))}
    if stored:
        pixel = np.stack([9 + 2.0 * np.arange(FRAMES), np.full(FRAMES, 20.3)], axis=-1)[None]
        columns |= {
            "pixel": torch.from_numpy(pixel)[:, :, None],
            "radius": torch.full((1, FRAMES, 1), RADIUS),
            "color": torch.tensor([[BLUE]], dtype=torch.uint8),
            "background": torch.full((1, 3), 255, dtype=torch.uint8),
        }
    return columns


def color_error(video: np.ndarray, stored: bool) -> np.ndarray:
    truth = truth_of(batch(stored))
    assert truth.valid.all()
    return np.asarray(clip_figures(truth, video)["color_error"][0, :, 0])


@pytest.mark.parametrize("stored", [True, False])
def test_the_target_has_no_color_error(stored: bool) -> None:
    assert (color_error(clip(BLUE), stored) == 0).all()


@pytest.mark.parametrize("stored", [True, False])
def test_a_blue_disc_that_comes_back_purple_costs_the_difference_of_the_channels(stored: bool) -> None:
    inside = ((RADIUS - OUTLINE) / RADIUS) ** 2  # share of the area that changed
    assert color_error(clip(PURPLE), stored) == pytest.approx(150 / 3 * inside, rel=0.1)


@pytest.mark.parametrize("stored", [True, False])
def test_a_lost_outline_is_seen(stored: bool) -> None:
    inside = ((RADIUS - OUTLINE) / RADIUS) ** 2
    assert color_error(clip(BLUE, outline=BLUE), stored) == pytest.approx(255 / 3 * (1 - inside), rel=0.2)


@pytest.mark.parametrize("stored", [True, False])
def test_a_lost_object_costs_its_contrast(stored: bool) -> None:
    inside = ((RADIUS - OUTLINE) / RADIUS) ** 2
    contrast = inside * 255 * 2 / 3 + (1 - inside) * 255
    blank = np.full_like(clip(BLUE), 255)
    np.testing.assert_allclose(color_error(blank, stored), contrast, rtol=0.1)
    elsewhere = np.roll(clip(BLUE), 12, axis=-2)  # of the right color, but in another place
    np.testing.assert_array_equal(color_error(elsewhere, stored), color_error(blank, stored))


@pytest.mark.parametrize("stored", [True, False])
def test_a_small_shift_is_no_change_of_color(stored: bool) -> None:
    assert (color_error(clip(BLUE, shift=1.0), stored) < 4).all()


def test_an_object_smaller_than_a_pixel_has_an_area() -> None:
    video = np.full((1, 1, 3, SIZE, SIZE), 255, dtype=np.uint8)
    pixel, radius, color = np.full((1, 1, 2), 20.0), np.full((1, 1), 0.3), np.zeros((1, 3), dtype=np.uint8)
    render_discs(video, pixel, radius, color)
    columns = {"pixel": pixel[:, :, None], "radius": radius[..., None], "color": color[:, None]}
    columns["background"] = np.full((1, 3), 255, dtype=np.uint8)
    truth = truth_of(
        {name: torch.from_numpy(value) for name, value in columns.items()}
        | {"video": to_float(torch.from_numpy(video))}
    )
    assert len(truth.area)
    assert 0 < clip_figures(truth, np.full_like(video, 255))["color_error"][0, 0, 0] < 255
