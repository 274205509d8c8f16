"""What is seen in decoded tokens: places, and how the object looks, clip by clip."""

import math

import torch

from trajvq.data.synthetic.scene import make_clips
from trajvq.tokens.tracks import as_appearance, as_path, positions_in, tracks_in


def test_what_is_seen_is_what_was_drawn() -> None:
    clips = make_clips(0, "train", 0, 4, 16, 64)
    video = torch.from_numpy(clips["video"]).transpose(1, 2).float() / 255
    seen = tracks_in(video)
    assert seen.shape == (4, 16, 6)
    assert float((seen[..., :2] - torch.from_numpy(clips["pixel"])).abs().max()) < 0.2
    assert torch.equal(positions_in(video), seen[..., :2])
    assert as_path(torch.tensor([[12.0, 16.0]]), 32, 48).tolist() == [[-0.5, 0.0]]
    look = as_appearance(seen, 64)
    radius = torch.from_numpy(clips["radius"]).float().mean(dim=1)
    assert torch.allclose(32 * 2 ** ((look[:, 0] - 1) * 2.5), radius, rtol=0.15)
    assert torch.allclose((look[:, 1:] + 1) * 127.5, torch.from_numpy(clips["color"]).float(), atol=12)


def test_frames_without_an_object_do_not_count_and_nothing_looks_like_nothing() -> None:
    nan = math.nan
    seen = torch.tensor([[[1.0, 2, 4, 0, 1, 0.5], [nan] * 6, [3.0, 4, 4, 0, 1, 0.5]], [[nan] * 6] * 3])
    look = as_appearance(seen, 32)
    assert torch.allclose(look[0], torch.tensor([1 - 4 / 5, -1, 1, 0]))
    assert look[1].tolist() == [0, 0, 0, 0]
    assert tracks_in(torch.ones(1, 3, 2, 16, 16)).isnan().all()
