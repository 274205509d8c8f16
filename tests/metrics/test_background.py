"""The background is the median of any number of frames, or one color, and objects stand out from it."""

import pytest
import torch

from trajvq.metrics.background import estimate_background, stands_out


@pytest.mark.parametrize(("frames", "height", "width"), [(16, 64, 64), (512, 64, 64), (768, 64, 64), (64, 16, 256)])
def test_a_black_border_is_not_the_background(frames: int, height: int, width: int) -> None:
    picture = 0.3 + 0.6 * torch.rand(1, 3, 1, height, width, generator=torch.Generator().manual_seed(0))
    picture[..., 0, :] = 0
    picture[..., 0] = 0
    assert torch.equal(estimate_background(picture.expand(-1, -1, frames, -1, -1)), picture)


@pytest.mark.parametrize(("frames", "step"), [(1, 1), (16, 4), (32, 5), (64, 8)])
def test_a_plain_clip_has_the_median_of_a_grid_of_its_pixels(frames: int, step: int) -> None:
    levels = torch.randint(0, 3, (1, 3, frames, 64, 64), generator=torch.Generator().manual_seed(frames))
    video = (230 + levels) / 255  # all of one color, to 1/32 a channel
    color = video[..., ::step, ::step].flatten(2).median(dim=2).values
    assert torch.equal(estimate_background(video), color[..., None, None, None].expand(-1, -1, 1, 64, 64))


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 8, 11, 16, 33])
def test_a_textured_clip_has_the_median_of_its_frames(frames: int) -> None:
    video = torch.rand(2, 3, frames, 8, 12, generator=torch.Generator().manual_seed(frames))
    assert torch.equal(estimate_background(video), video.median(dim=2, keepdim=True).values)


def test_an_object_must_differ_more_where_the_whole_frame_differs() -> None:
    difference = torch.full((2, 16, 16), 0.05)
    difference[0] = 0.0
    difference[:, 4:6, 4:6] = 0.1
    objects = stands_out(difference, 0.04)
    assert int(objects[0].sum()) == 4
    assert not objects[1].any()
    difference[1, 4:6, 4:6] = 0.2
    assert torch.equal(stands_out(difference, 0.04)[1], objects[0])
