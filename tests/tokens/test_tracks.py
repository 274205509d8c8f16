"""Tracks in decoded tokens: position and appearance of the object, clip by clip."""

import math

import torch

from trajvq.data.synthetic.scene import make_clips
from trajvq.tokens.tracks import as_appearance, as_path, tracks_in


def test_tracks_are_those_of_the_rendered_object() -> None:
    clips = make_clips(0, "train", 0, 4, 16, 64)
    video = torch.from_numpy(clips["video"]).transpose(1, 2).float() / 255
    tracks = tracks_in(video)
    assert tracks.shape == (4, 1, 16, 6)
    assert float((tracks[:, 0, :, :2] - torch.from_numpy(clips["pixel"][:, :, 0])).abs().max()) < 0.2
    appearance = as_appearance(tracks, 64)[:, 0]
    radius = torch.from_numpy(clips["radius"][:, :, 0]).float().mean(dim=1)
    assert torch.allclose(32 * 2 ** ((appearance[:, 0] - 1) * 2.5), radius, rtol=0.15)
    assert torch.allclose((appearance[:, 1:] + 1) * 127.5, torch.from_numpy(clips["color"][:, 0]).float(), atol=12)


def test_paths_go_from_edge_to_edge() -> None:
    assert as_path(torch.tensor([[12.0, 16.0]]), 32, 48).tolist() == [[-0.5, 0.0]]


def test_frames_without_an_object_do_not_count_and_without_any_the_appearance_is_zero() -> None:
    nan = math.nan
    visible = [[1.0, 2, 4, 0, 1, 0.5], [nan] * 6, [3.0, 4, 4, 0, 1, 0.5]]
    tracks = torch.tensor([[visible, [[nan] * 6] * 3], [[[nan] * 6] * 3] * 2])
    appearance = as_appearance(tracks, 32)
    assert torch.allclose(appearance[0, 0], torch.tensor([1 - 4 / 5, -1, 1, 0]))
    assert appearance[1, 0].tolist() == [0, 0, 0, 0]
    assert appearance[:, 1].isnan().all()
    assert tracks_in(torch.ones(1, 3, 2, 16, 16)).isnan().all()


def test_several_objects_keep_their_entry_over_time_and_fragments_are_none() -> None:
    video = torch.ones(1, 3, 8, 32, 32)
    for frame in range(8):
        video[:, :, frame, 4:9, 2 + 3 * frame : 7 + 3 * frame] = 0  # the larger one, but for the end
        size = 3 if frame < 6 else 6
        video[:, :, frame, 20 : 20 + size, 24 - 2 * frame : 24 - 2 * frame + size] = 0
    video[:, :, 3, 28:30, 28:30] = 0  # a speck
    tracks = tracks_in(video, objects=3)
    assert tracks.shape == (1, 3, 8, 6)
    assert tracks[0, 0, :, 1].std() < 0.1
    assert (tracks[0, 0, 1:, 0] - tracks[0, 0, :-1, 0]).sub(3).abs().max() < 0.1
    assert tracks[0, 1].isfinite().all()
    assert tracks[0, 2].isnan().all()
    largest = tracks_in(video)
    assert (largest[0, 0, :6, 1] < 10).all()
    assert (largest[0, 0, 6:, 1] > 20).all()
