"""Augmentations: windows hold the object, clip and background stay together, symmetries are what they say."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from trajvq.adaptation import Adaptation
from trajvq.augment import (
    AdaptiveAugmentation,
    Augmentation,
    ClipSymmetries,
    ClipSymmetry,
    ObjectWindows,
    PathAugmentation,
    PathSymmetries,
    Symmetry,
    path_symmetries,
)
from trajvq.data.synthetic.scene import make_clips
from trajvq.io.video import to_float

ALL: list[Symmetry] = ["columns", "rows", "transpose", "colors"]
CLIP: list[ClipSymmetry] = [*ALL, "reverse"]


def clips() -> tuple[Tensor, Tensor]:
    video = to_float(torch.from_numpy(make_clips(0, "train", 0, 8, 16, 64)["video"]))
    return video, torch.ones(8, 3, 1, 64, 64)


def generators(rows: list[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(row) for row in rows]


def test_every_window_holds_the_object_in_some_frame() -> None:
    torch.manual_seed(0)
    video, background = clips()
    windows, backgrounds = ObjectWindows(frames=8, size=32, windows=5, symmetries=ALL)(video, background)
    assert windows.shape == (40, 3, 8, 32, 32)
    assert backgrounds.shape == (40, 3, 1, 32, 32)
    pixels = ((1 - windows).amax(dim=1) > 0.3).sum(dim=(-1, -2))
    assert (pixels.amax(dim=1) >= 3).all()


def test_windows_are_parts_of_their_clips() -> None:
    torch.manual_seed(0)
    video, _ = clips()
    background = torch.rand(8, 3, 1, 64, 64)
    windows, backgrounds = ObjectWindows(frames=8, size=32, windows=1, symmetries=[])(video, background)
    for clip in range(8):
        patches = background[clip, :, 0].unfold(1, 32, 1).unfold(2, 32, 1).permute(0, 3, 4, 1, 2)
        same = (patches == backgrounds[clip, :, 0, :, :, None, None]).all(dim=2).all(dim=1).all(dim=0)
        row, column = torch.nonzero(same)[0].tolist()
        part = video[clip, :, :, row : row + 32, column : column + 32]
        assert any(torch.equal(part[:, first : first + 8], windows[clip]) for first in range(9))


def test_late_in_training_clips_stay_whole() -> None:
    video, background = clips()
    whole, ground = ObjectWindows(until=0.5, symmetries=[])(video, background, progress=0.5)
    assert torch.equal(whole, video[:1])  # as many clips as have the pixels of the windows
    assert torch.equal(ground, background[:1])


def test_symmetries_keep_the_pixels_and_move_the_background_like_the_clip() -> None:
    video, _ = clips()
    background = torch.rand(8, 3, 1, 64, 64)
    for seed in range(8):
        torch.manual_seed(seed)
        turned, ground = ObjectWindows(until=0.0, symmetries=ALL)(video + background, background, progress=0.5)
        objects = (turned - ground).sum(dim=1).flatten(1).sort().values
        torch.testing.assert_close(objects, video[:1].sum(dim=1).flatten(1).sort().values)


def test_small_clips_are_not_cut_beyond_their_size() -> None:
    video, background = torch.rand(2, 3, 4, 16, 24), torch.rand(2, 3, 1, 16, 24)
    assert ObjectWindows(windows=2, symmetries=ALL)(video, background)[0].shape == (4, 3, 4, 16, 24)


@pytest.mark.parametrize("augment", [ClipSymmetries(CLIP), ObjectWindows(frames=2, size=4, windows=2, symmetries=ALL)])
def test_a_clip_depends_on_its_own_generator_alone(augment: Augmentation) -> None:
    video, background = torch.rand(4, 3, 4, 8, 8), torch.rand(4, 3, 1, 8, 8)
    whole, _ = augment(video, background, generators=generators([0, 1, 2, 3]))
    part, _ = augment(video[2:], background[2:], generators=generators([2, 3]))
    assert torch.equal(part, whole[len(whole) // 2 :])
    assert not torch.equal(augment(video, background, generators=generators([4, 5, 6, 7]))[0], whole)


def only(*symmetries: ClipSymmetry, shift: int = 0) -> Callable[[Tensor], Tensor]:
    augment = ClipSymmetries(symmetries, shift)
    return lambda video: augment(video, video[:, :, :1])[0]


def test_each_symmetry_does_what_it_says_and_nothing_else() -> None:
    torch.manual_seed(0)
    video = torch.rand(40, 3, 4, 8, 8)
    assert torch.equal(only()(video), video)
    reverse = only("reverse")
    backwards = [torch.equal(turned, clip.flip(1)) for turned, clip in zip(reverse(video), video, strict=True)]
    same = [torch.equal(turned, clip) for turned, clip in zip(reverse(video), video, strict=True)]
    assert 8 < sum(backwards) < 32
    assert 8 < sum(same) < 32
    colored = only("colors")(video)
    assert not torch.equal(colored, video)
    assert torch.equal(colored.sort(dim=1).values, video.sort(dim=1).values)
    ways = {
        (flips, transpose)
        for turned, clip in zip(only("columns", "rows", "transpose")(video), video, strict=True)
        for flips in ((), (-1,), (-2,), (-1, -2))
        for transpose in (False, True)
        if torch.equal(turned, clip.flip(flips).transpose(-1, -2) if transpose else clip.flip(flips))
    }
    assert len(ways) == 8
    for moved, clip in zip(only(shift=2)(video), video, strict=True):
        inner = [clip[..., y : y + 4, x : x + 4] for y in range(5) for x in range(5)]
        assert any(torch.equal(moved[..., 2:6, 2:6], part) for part in inner)


def test_the_background_goes_through_the_same_symmetries() -> None:
    torch.manual_seed(0)
    background = torch.rand(20, 3, 1, 8, 8)
    video, ground = ClipSymmetries(CLIP, shift=2)(background.expand(-1, -1, 4, -1, -1), background)
    assert torch.equal(video, ground.expand_as(video))


def test_paths_are_turned_like_clips() -> None:
    torch.manual_seed(0)
    path = torch.rand(200, 5, 2) * 2 - 1
    assert isinstance(ClipSymmetries(), PathAugmentation)
    assert torch.equal(ClipSymmetries([], shift=0).paths(path, 8, 8), path)
    turned = ClipSymmetries(CLIP, shift=0).paths(path, 8, 8)
    ways = set()
    for after, before in zip(turned, path, strict=True):
        for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            for transpose in (False, True):
                for backwards in (False, True):
                    expected = before * torch.tensor(signs)
                    expected = expected.flip(-1) if transpose else expected
                    expected = expected.flip(0) if backwards else expected
                    if torch.equal(after, expected):
                        ways.add((signs, transpose, backwards))
    assert len(ways) == 16
    shift = ClipSymmetries([], shift=2).paths(path, 8, 16) - path
    assert torch.allclose(shift, shift[:, :1].expand_as(shift), atol=1e-6)
    assert shift[..., 0].abs().max() <= 0.2501
    assert shift[..., 1].abs().max() <= 0.5001


def test_paths_put_anywhere_keep_their_shape_and_stay_in_the_picture() -> None:
    torch.manual_seed(0)
    path = (torch.rand(300, 6, 2) - 0.5) * 0.9
    path[0, 2] = torch.nan
    moved = PathSymmetries().paths(path, 64, 64)
    assert moved.isnan().sum() == path.isnan().sum() == 2
    before, after = (torch.cdist(p, p) for p in (path[1:], moved[1:]))
    forwards, backwards = (
        torch.isclose(after, each, atol=1e-4, rtol=1e-4).all(dim=(1, 2)) for each in (before, before.flip(1, 2))
    )
    assert (forwards | backwards).all()
    assert 0.3 < backwards.float().mean() < 0.7  # half are played backwards
    assert moved[1:].abs().max() <= 0.92 + 1e-5
    headings = torch.atan2(*(moved[1:, 1] - moved[1:, 0]).unbind(dim=-1))
    assert len({round(float(heading), 1) for heading in headings}) > 50


def test_a_path_keeps_its_shape_in_pixels_of_a_picture_that_is_no_square() -> None:
    torch.manual_seed(0)
    path, picture = torch.zeros(300, 16, 2), torch.tensor([128.0, 64.0])
    path[..., 0] = torch.linspace(-0.3, 0.3, 16)  # straight to the right
    moved = PathSymmetries().paths(path, 64, 128)
    before, after = ((p * picture / 2).diff(dim=1) for p in (path, moved))
    torch.testing.assert_close(after.norm(dim=-1), before.norm(dim=-1))
    assert len({round(float(angle), 1) for angle in torch.atan2(*after[:, 0].unbind(dim=-1))}) > 50
    assert moved.abs().max() <= 0.92 + 1e-5


def test_a_path_that_does_not_fit_is_put_in_the_middle() -> None:
    path = 1 + torch.tensor([[[-3.0, 0.0], [3.0, 0.0], [0.0, -3.0], [0.0, 3.0]]])
    moved = PathSymmetries().paths(path, 64, 64)[0]
    torch.testing.assert_close(moved.mean(dim=0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(moved.norm(dim=-1), torch.full((4,), 3.0))


def adaptation(plain: float, **ratios: float) -> Adaptation:
    return Adaptation(torch.zeros(3, 1, 1, 1), 0.5, plain, dict.fromkeys(ALL, 0.0) | ratios)


def test_windows_take_the_symmetries_of_the_clips_and_lie_anywhere_before_textures() -> None:
    augment = ObjectWindows()
    assert isinstance(augment, AdaptiveAugmentation)
    for plain, ratios, share, turns, words in (
        (
            1.0,
            {"columns": 1.1, "rows": 0.7},
            0.0,
            ("columns",),
            "windows around objects; random symmetries: columns",
        ),
        (
            0.2,
            {},
            0.4,
            (),
            "windows anywhere in 40% of the batches, around objects in the others; random symmetries: none",
        ),
    ):
        assert augment.adapt(adaptation(plain, **ratios)) == [f"augmentation: {words}"]
        assert augment.share == pytest.approx(share)
        assert augment.turns == turns


def test_what_the_config_names_is_not_adapted() -> None:
    augment = ObjectWindows(anywhere=0.25, symmetries=["rows"])
    augment.adapt(adaptation(0.0, columns=1.0))
    assert (augment.share, augment.turns) == (0.25, ("rows",))


@pytest.mark.parametrize("augment", [ObjectWindows(), ClipSymmetries()])
def test_symmetries_that_were_never_chosen_are_an_error(augment: Augmentation) -> None:
    with pytest.raises(ValueError, match=r"symmetries are auto: call adapt\(\) first, or name them"):
        augment(*clips())


def test_whole_clips_are_turned_as_the_clips_allow() -> None:
    augment = ClipSymmetries(shift=2)
    line = "augmentation: clips shifted by up to 2 px; random symmetries: rows, reverse"
    assert augment.adapt(adaptation(1.0, reverse=1.0, rows=0.95, columns=0.8)) == [line]
    assert augment.symmetries == ["rows", "reverse"]
    assert augment.adapt(adaptation(1.0, columns=1.0)) == [line]  # what was chosen stays
    assert ObjectWindows().adapt(adaptation(1.0, reverse=1.0))[0].endswith("none")


def test_clips_that_are_not_square_are_not_said_to_be_transposed() -> None:
    every = {"columns": 1.0, "rows": 1.0, "transpose": 1.0, "reverse": 1.0}
    for square, names in ((True, "columns, rows, transpose, reverse"), (False, "columns, rows, reverse")):
        augment, clips = ClipSymmetries(), replace(adaptation(1.0, **every), square=square)
        assert augment.adapt(clips)[0].endswith(f"symmetries: {names}")
        assert isinstance(path_symmetries(augment), PathSymmetries)  # their paths are turned, in pixels
        assert ObjectWindows().adapt(clips)[0].endswith("columns, rows, transpose")  # windows are square


@pytest.mark.parametrize("name", ALL)
def test_only_the_named_symmetry_is_applied(name: Symmetry) -> None:
    torch.manual_seed(0)
    video, background = torch.rand(1, 3, 2, 8, 8), torch.rand(1, 3, 1, 8, 8)
    orders = itertools.permutations(range(3))
    changes = {
        "columns": [video, video.flip(-1)],
        "rows": [video, video.flip(-2)],
        "transpose": [video, video.transpose(-1, -2)],
        "colors": [video[:, list(order)] for order in orders],
    }[name]
    augment = ObjectWindows(until=0.0, symmetries=[name])
    applied = set()
    for _ in range(60):
        turned = augment(video, background)[0]
        applied.add(next(k for k, change in enumerate(changes) if torch.equal(change, turned)))
    assert applied == set(range(len(changes)))


def test_windows_anywhere_show_every_pixel_and_others_the_object() -> None:
    torch.manual_seed(0)
    video = torch.zeros(1, 3, 1, 16, 64)
    video[..., 6:10, 4:8] = 1.0
    video += torch.linspace(0.001, 0.002, 64)  # which column is it?
    background = torch.zeros(1, 3, 1, 16, 64)
    for share, first in ((0.0, 20), (1.0, 48)):  # the last column at which a window begins
        augment = ObjectWindows(frames=1, size=16, windows=400, anywhere=share, symmetries=[])
        starts = ((augment(video, background)[0][:, 0, 0, 0, 0] - 0.001) * 63_000).round()
        assert starts.min() == 0
        assert (starts.max() > first - 5) == (share == 1.0)
        assert starts.max() <= first


def test_windows_anywhere_have_all_frames_and_about_as_many_pixels() -> None:
    torch.manual_seed(0)
    video, background = clips()
    augment = ObjectWindows(frames=8, size=32, windows=3, anywhere=1.0, symmetries=[])
    windows, backgrounds = augment(video, background)
    assert windows.shape == (12, 3, 16, 32, 32)
    assert backgrounds.shape == (12, 3, 1, 32, 32)
    assert augment(video, background, progress=0.9)[0].shape[-2:] == (64, 64)  # late in training clips stay whole


def test_paths_are_turned_by_any_angle_only_where_clips_have_every_symmetry() -> None:
    every: list[ClipSymmetry] = ["columns", "rows", "transpose", "reverse"]
    assert isinstance(path_symmetries(ClipSymmetries(every)), PathSymmetries)
    some = ClipSymmetries(["rows", "colors"], shift=0)
    path = torch.rand(20, 16, 2)
    moved = path_symmetries(some).paths(path, 64, 64)
    assert torch.equal(moved[..., 0], path[..., 0])
    assert torch.equal(moved[..., 1].abs(), path[..., 1].abs())
    for augment in (None, ObjectWindows()):
        assert torch.equal(path_symmetries(augment).paths(path, 64, 64), path)
