"""The background is the median of any number of frames, and objects stand out from it."""

import pytest
import torch

from trajvq.metrics.background import estimate_background, stands_out


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
