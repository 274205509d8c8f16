"""Windows hold the object, keep clip and background together, and end when they should."""

import torch

from trajvq.augment import ObjectWindows
from trajvq.data.scene import make_clips


def clips() -> tuple[torch.Tensor, torch.Tensor]:
    video = torch.from_numpy(make_clips(0, "train", 0, 8, 16, 64)["video"]).transpose(1, 2).float() / 255
    return video, torch.ones(8, 3, 1, 64, 64)


def test_every_window_holds_the_object_in_some_frame() -> None:
    torch.manual_seed(0)
    video, background = clips()
    cut, ground = ObjectWindows(frames=8, size=32, windows=5)(video, background, done=0.0)
    assert cut.shape == (40, 3, 8, 32, 32)
    assert ground.shape == (40, 3, 1, 32, 32)
    shown = ((1 - cut).amax(dim=1) > 0.3).sum(dim=(-1, -2))
    assert (shown.amax(dim=1) >= 3).all()


def test_windows_are_parts_of_their_clips() -> None:
    torch.manual_seed(0)
    video, _ = clips()
    background = torch.rand(8, 3, 1, 64, 64)
    whole = torch.cat([video, background.expand_as(video)], dim=1)
    cut, ground = ObjectWindows(frames=8, size=32, windows=1, symmetries=False)(video, background, done=0.0)
    for clip in range(8):
        places = ground[clip, :, 0].unsqueeze(-1).unsqueeze(-1)
        patches = background[clip, :, 0].unfold(1, 32, 1).unfold(2, 32, 1).permute(0, 3, 4, 1, 2)
        row, column = torch.nonzero((patches == places).all(dim=2).all(dim=1).all(dim=0))[0].tolist()
        part = whole[clip, :3, :, row : row + 32, column : column + 32]
        assert any(torch.equal(part[:, k : k + 8], cut[clip]) for k in range(9))


def test_late_in_training_clips_stay_whole() -> None:
    video, background = clips()
    made, ground = ObjectWindows(until=0.5, symmetries=False)(video, background, done=0.5)
    assert torch.equal(made, video[:1])  # as many clips as have the pixels of the windows
    assert torch.equal(ground, background[:1])


def test_symmetries_keep_the_pixels_and_the_background_in_step() -> None:
    video, _ = clips()
    background = torch.rand(8, 3, 1, 64, 64)
    for seed in range(8):
        torch.manual_seed(seed)
        made, ground = ObjectWindows(until=0.0)(video + background, background, done=0.5)
        found = (made - ground).sum(dim=1).flatten(1).sort().values
        torch.testing.assert_close(found, video[:1].sum(dim=1).flatten(1).sort().values)


def test_small_clips_are_not_cut_beyond_their_size() -> None:
    video, background = torch.rand(2, 3, 4, 16, 24), torch.rand(2, 3, 1, 16, 24)
    assert ObjectWindows(windows=2)(video, background, done=0.0)[0].shape == (4, 3, 4, 16, 24)
