"""Tracks in decoded tokens: position and appearance of the object, clip by clip."""

import math

import torch

from trajvq.data.synthetic.scene import make_clips
from trajvq.tokens.tracks import as_appearance, as_path, tracks_in


def test_tracks_are_those_of_the_rendered_object() -> None:
    clips = make_clips(0, "train", 0, 4, 16, 64)
    video = torch.from_numpy(clips["video"]).transpose(1, 2).float() / 255
    tracks = tracks_in(video)
    assert tracks.shape == (4, 16, 6)
    assert float((tracks[..., :2] - torch.from_numpy(clips["pixel"][:, :, 0])).abs().max()) < 0.2
    appearance = as_appearance(tracks, 64)
    radius = torch.from_numpy(clips["radius"][:, :, 0]).float().mean(dim=1)
    assert torch.allclose(32 * 2 ** ((appearance[:, 0] - 1) * 2.5), radius, rtol=0.15)
    assert torch.allclose((appearance[:, 1:] + 1) * 127.5, torch.from_numpy(clips["color"][:, 0]).float(), atol=12)


def test_paths_go_from_edge_to_edge() -> None:
    assert as_path(torch.tensor([[12.0, 16.0]]), 32, 48).tolist() == [[-0.5, 0.0]]


def test_frames_without_an_object_do_not_count_and_without_any_the_appearance_is_zero() -> None:
    nan = math.nan
    tracks = torch.tensor([[[1.0, 2, 4, 0, 1, 0.5], [nan] * 6, [3.0, 4, 4, 0, 1, 0.5]], [[nan] * 6] * 3])
    appearance = as_appearance(tracks, 32)
    assert torch.allclose(appearance[0], torch.tensor([1 - 4 / 5, -1, 1, 0]))
    assert appearance[1].tolist() == [0, 0, 0, 0]
    assert tracks_in(torch.ones(1, 3, 2, 16, 16)).isnan().all()
