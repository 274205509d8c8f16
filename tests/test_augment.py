"""Windows hold the object, keep clip and background together, and end when they should."""

from typing import Any

import torch

from trajvq.augment import ClipSymmetries, ObjectWindows, PathSymmetries
from trajvq.data.synthetic.scene import make_clips


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


def only(**wanted: Any) -> ClipSymmetries:
    return ClipSymmetries(**({"turns": False, "reverse": False, "colors": False, "shift": 0} | wanted))


def test_each_symmetry_does_what_it_says_and_nothing_else() -> None:
    torch.manual_seed(0)
    video = torch.rand(40, 3, 4, 8, 8)
    assert torch.equal(only()(video), video)
    back = [torch.equal(made, clip.flip(1)) for made, clip in zip(only(reverse=True)(video), video, strict=True)]
    same = [torch.equal(made, clip) for made, clip in zip(only(reverse=True)(video), video, strict=True)]
    assert 8 < sum(back) < 32
    assert 8 < sum(same) < 32
    colored = only(colors=True)(video)
    assert not torch.equal(colored, video)
    assert torch.equal(colored.sort(dim=1).values, video.sort(dim=1).values)
    turned = only(turns=True)(video)
    ways = {
        (flips, across)
        for made, clip in zip(turned, video, strict=True)
        for flips in ((), (-1,), (-2,), (-1, -2))
        for across in (False, True)
        if torch.equal(made, clip.flip(flips).transpose(-1, -2) if across else clip.flip(flips))
    }
    assert len(ways) == 8
    moved = only(shift=2)(video)
    for made, clip in zip(moved, video, strict=True):
        inner = [clip[..., y : y + 4, x : x + 4] for y in range(5) for x in range(5)]
        assert any(torch.equal(made[..., 2:6, 2:6], part) for part in inner)


def test_a_clips_version_depends_on_its_own_chance_alone() -> None:
    video, augment = torch.rand(4, 3, 4, 8, 8), ClipSymmetries()

    def chance(rows: list[int]) -> list[torch.Generator]:
        return [torch.Generator().manual_seed(row) for row in rows]

    whole = augment(video, chance([0, 1, 2, 3]))
    assert torch.equal(augment(video[2:], chance([2, 3])), whole[2:])
    assert not torch.equal(augment(video, chance([4, 5, 6, 7])), whole)


def test_paths_are_turned_like_clips() -> None:
    torch.manual_seed(0)
    path = torch.rand(200, 5, 2) * 2 - 1
    assert torch.equal(only().paths(path, 8, 8), path)
    turned = only(turns=True, reverse=True).paths(path, 8, 8)
    ways = set()
    for made, before in zip(turned, path, strict=True):
        for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            for across in (False, True):
                for backwards in (False, True):
                    wanted = before * torch.tensor(signs)
                    wanted = wanted.flip(-1) if across else wanted
                    wanted = wanted.flip(0) if backwards else wanted
                    if torch.equal(made, wanted):
                        ways.add((signs, across, backwards))
    assert len(ways) == 16
    moved = only(shift=2).paths(path, 8, 16) - path
    assert torch.allclose(moved, moved[:, :1].expand_as(moved), atol=1e-6)
    assert moved[..., 0].abs().max() <= 0.2501
    assert moved[..., 1].abs().max() <= 0.5001


def test_paths_put_anywhere_keep_their_shape_and_stay_in_the_picture() -> None:
    torch.manual_seed(0)
    path = (torch.rand(300, 6, 2) - 0.5) * 0.9
    path[0, 2] = torch.nan
    made = PathSymmetries(rotate=True, reverse=False, margin=0.1)(path)
    assert torch.equal(made.isnan(), path.isnan())
    apart = [torch.cdist(p.nan_to_num(), p.nan_to_num()) for p in (path[1:], made[1:])]
    torch.testing.assert_close(apart[0], apart[1], atol=1e-4, rtol=1e-4)
    assert made[1:].abs().max() <= 0.9 + 1e-5
    headings = torch.atan2(*(made[1:, 1] - made[1:, 0]).unbind(dim=-1))
    assert len({round(float(h), 1) for h in headings}) > 50
    backwards = PathSymmetries(rotate=False)(path[1:])
    steps = [(p[:, 1] - p[:, 0]).abs().sum(dim=-1) for p in (path[1:], backwards)]
    assert 0.3 < torch.isclose(steps[0], steps[1], atol=1e-5).float().mean() < 0.7  # half are played backwards


def test_a_path_that_does_not_fit_is_put_in_the_middle() -> None:
    path = torch.tensor([[[-3.0, 0.0], [3.0, 0.0]]])
    made = PathSymmetries(rotate=False)(path)
    torch.testing.assert_close(made.mean(dim=1)[0].abs().amin(), torch.tensor(0.0), atol=1e-5, rtol=0)
    assert made.abs().max() == 3
