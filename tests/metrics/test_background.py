"""The background: the median of any number of frames, and what stands out from it."""

import pytest
import torch

from trajvq.metrics.background import estimate_background, stands_out


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 8, 11, 16, 33])
def test_a_textured_clip_has_the_median_of_its_frames(frames: int) -> None:
    video = torch.rand(2, 3, frames, 8, 12, generator=torch.Generator().manual_seed(frames))
    assert torch.equal(estimate_background(video), video.median(dim=2, keepdim=True).values)


def test_more_has_to_differ_where_all_of_a_frame_does() -> None:
    difference = torch.full((2, 16, 16), 0.05)
    difference[0] = 0.0
    difference[:, 4:6, 4:6] = 0.1
    found = stands_out(difference, 0.04)
    assert int(found[0].sum()) == 4
    assert not found[1].any()
    difference[1, 4:6, 4:6] = 0.2
    assert torch.equal(stands_out(difference, 0.04)[1], found[0])
