"""Continuations in pixels: shifts are found to a fraction of a pixel, and what stands still stays."""

import numpy as np
import torch
from torch import Tensor

from trajvq.io.video import to_float
from trajvq.metrics.forecast.frames import continue_frames, shift_between


def disc(x: float, y: float) -> Tensor:
    """A soft disc on a gray picture, float ``(3, 40, 56)``."""
    rows, columns = torch.arange(40)[:, None] + 0.5, torch.arange(56) + 0.5
    cover = (3.5 - ((rows - y) ** 2 + (columns - x) ** 2).sqrt()).clamp(0, 1)
    return 0.5 + cover * torch.tensor([0.4, -0.3, 0.1])[:, None, None]


def test_a_shift_is_found_to_a_fraction_of_a_pixel_even_at_the_edge() -> None:
    starts = [(20.0, 20.0), (30.0, 15.0), (3.0, 36.0), (20.0, 20.0)]
    steps = [(3.0, -2.0), (-4.4, 5.7), (1.5, -1.25), (0.0, 0.0)]
    first = torch.stack([disc(*start) for start in starts])
    second = torch.stack([disc(x + dx, y + dy) for (x, y), (dx, dy) in zip(starts, steps, strict=True)])
    np.testing.assert_allclose(shift_between(first, second), steps, atol=0.1)


def test_rows_continue_the_context() -> None:
    context = torch.stack([disc(10.0 + 2 * k, 20.0 + k) for k in range(4)], dim=1)[None]
    background = torch.full((1, 3, 1, 40, 56), 0.5)
    rows = continue_frames(context, background, 3)
    assert list(rows) == ["blank", "mean_frame", "copy_last", "frame_shift"]
    assert all(video.shape == (1, 3, 3, 40, 56) for video in rows.values())
    future = torch.stack([disc(18.0 + 2 * k, 24.0 + k) for k in range(3)], dim=1)[None]
    error = {name: (to_float(torch.from_numpy(video)) - future).square().mean() for name, video in rows.items()}
    assert error["frame_shift"] < 0.02 * error["copy_last"]
    np.testing.assert_array_equal(rows["blank"], np.full((1, 3, 3, 40, 56), 128))
    np.testing.assert_array_equal(rows["copy_last"][0, 2], (255 * context[0, :, -1]).round())
    np.testing.assert_array_equal(rows["mean_frame"][0, 0], (255 * context[0].mean(dim=1)).round())


def test_a_still_picture_stands_still_and_one_frame_has_no_shift() -> None:
    picture = torch.rand(2, 3, 1, 16, 24, generator=torch.Generator().manual_seed(0))
    still = continue_frames(picture.expand(-1, -1, 4, -1, -1), picture, 2)
    np.testing.assert_array_equal(still["frame_shift"], still["copy_last"])
    assert "frame_shift" not in continue_frames(picture, picture, 2)
