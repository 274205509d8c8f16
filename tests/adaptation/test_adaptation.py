"""What a run takes from its clips depends on what they show, not on contrast, sign, number or process."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from trajvq.adaptation import LEAST_CONTRAST, Adaptation, adapt, adaptation, window_symmetry
from trajvq.data.synthetic.scene import make_clips
from trajvq.io.video import to_float
from trajvq.models.normalization import ClipNormalization

SIZE, FRAMES = 48, 6
WINDOWS = 500  # instead of 2000, so that the tests are quick
BLUE = torch.tensor([0, 0, 255], dtype=torch.uint8).view(3, 1, 1)
F = torch.tensor(  # symmetric under no flip and no transposition
    [
        [1, 1, 1, 1, 1],
        [1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 0, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [1, 0, 0, 0, 0],
    ]
)
SQUARE = torch.ones(5, 5)


class Memory:
    """Clips in memory, uint8 ``(N, T, 3, H, W)``."""

    def __init__(self, video: Tensor) -> None:
        self.video = video

    def __len__(self) -> int:
        return len(self.video)

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        return {"video": self.video[indices]}


def adapted(video: Tensor) -> Adaptation:
    return adapt(Memory(video))


class Labeled(Memory):
    """Clips with labels."""

    def __init__(self, video: Tensor, label: Tensor) -> None:
        super().__init__(video)
        self.label = label

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        return {**super().batch(indices), "label": self.label[indices]}


@pytest.fixture(autouse=True)
def few_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_symmetry, "WINDOWS", WINDOWS)


@pytest.fixture(scope="module")
def discs() -> Tensor:
    """Discs of any color on white, on paths with every symmetry."""
    return torch.from_numpy(make_clips(0, "train", 0, 160, FRAMES, SIZE)["video"])


def glyphs(glyph: Tensor, count: int = 120, background: Tensor | None = None) -> Tensor:
    """Return white glyphs of twice their size that move over a background ``(count, T, 3, H, W)``, black by default."""
    generator = torch.Generator().manual_seed(3)
    large = glyph.repeat_interleave(2, 0).repeat_interleave(2, 1).bool()
    height, width = large.shape
    video = torch.zeros(count, FRAMES, 3, SIZE, SIZE, dtype=torch.uint8) if background is None else background.clone()
    for clip in video:
        y, x = torch.randint(8, SIZE - 8 - max(height, width), (2,), generator=generator).tolist()
        dy, dx = torch.randint(-1, 2, (2,), generator=generator).tolist()
        for time, frame in enumerate(clip):
            area = (..., slice(y + dy * time, y + dy * time + height), slice(x + dx * time, x + dx * time + width))
            frame[area] = torch.where(large, 255, frame[area])
    return video


def textures(*shape: int, level: int = 90, deviation: int = 60) -> Tensor:
    """Return random pictures of patches of 4 x 4 pixels, uint8 ``(*shape, H, W)``."""
    coarse = torch.randint(
        level - deviation, level + deviation, (*shape, SIZE // 4, SIZE // 4), generator=torch.Generator().manual_seed(5)
    )
    return coarse.repeat_interleave(4, -1).repeat_interleave(4, -2).byte()


def film(count: int = 120) -> Tensor:
    """Return clips of squares before the same textured background."""
    return glyphs(SQUARE, count, textures(1, 1, 3).expand(count, FRAMES, 3, SIZE, SIZE))


def same(first: Adaptation, second: Adaptation) -> bool:
    parts = (
        (a.background.tolist(), a.contrast, a.plain, a.symmetry_ratios, a.symmetries, a.fixed_camera)
        for a in (first, second)
    )
    return next(parts) == next(parts)


def test_the_same_clips_give_the_same_answer_whatever_the_random_state_and_the_device(discs: Tensor) -> None:
    torch.manual_seed(1)
    first = adapted(discs)
    torch.manual_seed(2)
    with torch.device("meta"):  # Lightning builds models on the device of the training
        assert same(adapted(discs), first)


CHANGES: dict[str, tuple[Callable[[Tensor], Tensor], float, float]] = {  # change, its sign, its scale
    "faint": (lambda x: (255 - (255 - x.float()) / 8).round().byte(), 1, 8),
    "inverted": (lambda x: 255 - x, -1, 1),
    "faint and inverted": (lambda x: ((255 - x.float()) / 8).round().byte(), -1, 8),
    "shifted": (lambda x: (255 - (255 - x.float()) / 2 - 60).round().byte(), 1, 2),
}


@pytest.mark.parametrize("name", CHANGES)
def test_contrast_sign_and_offset_change_neither_normalized_clips_nor_choices(discs: Tensor, name: str) -> None:
    change, sign, scale = CHANGES[name]
    first, second = adapted(discs), adapted(change(discs))
    assert second.symmetries == first.symmetries
    assert (second.plain, second.fixed_camera) == (first.plain, first.fixed_camera)
    normalized = []
    for clips, result in ((discs, first), (change(discs), second)):
        module = ClipNormalization()
        module.fit(result.background, result.contrast)
        normalized.append(module(to_float(clips[:20])))
    # The change rounded colors and contrast, each by half a level at most.
    assert (normalized[0] - sign * normalized[1]).abs().max() <= scale * 1.3 / (255 * first.contrast)


def test_background_and_contrast_are_those_of_the_clips(discs: Tensor) -> None:
    result = adapted(discs)
    assert result.background.tolist() == torch.ones(3, 1, 1, 1).tolist()
    assert 0.7 < result.contrast <= 1
    assert (result.plain, result.fixed_camera) == (1.0, False)


def test_backgrounds_of_one_color_each_are_plain() -> None:
    colors = torch.randint(60, 200, (120, 1, 3, 1, 1), generator=torch.Generator().manual_seed(1)).byte()
    result = adapted(glyphs(SQUARE, 120, colors.expand(120, FRAMES, 3, SIZE, SIZE)))
    assert (result.plain, result.fixed_camera) == (1.0, False)


def test_symmetric_clips_have_all_symmetries(discs: Tensor) -> None:
    result = adapted(discs)
    assert result.symmetries == ("columns", "rows", "transpose", "reverse", "colors")
    assert all(0.8 <= ratio < 1.3 for ratio in result.symmetry_ratios.values())


def test_clips_of_one_color_are_not_recolored(discs: Tensor) -> None:
    gray = discs.float().mean(dim=2, keepdim=True).byte()
    blue = torch.maximum(gray.expand_as(discs), BLUE)
    assert adapted(blue).symmetries == ("columns", "rows", "transpose", "reverse")
    assert adapted(gray.expand_as(discs)).symmetry_ratios["colors"] == 0


def test_letters_are_not_mirrored_and_squares_are() -> None:
    ratios = adapted(glyphs(F)).symmetry_ratios
    assert max(ratio for name, ratio in ratios.items() if name != "reverse") < 0.3, ratios
    assert adapted(glyphs(SQUARE)).symmetries[:3] == ("columns", "rows", "transpose")


def test_a_letter_that_is_its_own_mirror_image_is_mirrored_in_that_direction_alone() -> None:
    lying = torch.cat([F.flip(0), F[1:]])  # the same upside down
    assert adapted(glyphs(lying)).symmetries[:1] == ("rows",)
    assert not {"columns", "transpose"} & {*adapted(glyphs(lying)).symmetries}


def test_the_background_of_a_fixed_camera_is_a_picture_without_its_objects() -> None:
    result = adapted(film())
    assert result.fixed_camera
    assert result.plain == 0
    difference = result.background[:, 0] * 255 - textures(3)
    assert difference.abs().max() < 0.5
    assert 0.4 < result.contrast < 1  # of the squares, not of the texture


def test_backgrounds_that_change_and_moving_cameras_are_no_picture() -> None:
    changing = glyphs(SQUARE, 120, textures(120, 1, 3).expand(120, FRAMES, 3, SIZE, SIZE))
    assert not adapted(changing).fixed_camera
    assert adapted(changing).plain == 0
    wide = torch.cat([textures(3), textures(4)[1:]], dim=-1).repeat(1, 1, 3)
    panned = [wide[..., k : k + SIZE] for k in range(2 * SIZE)]  # the camera moves by 2 px a frame
    moving = torch.stack([torch.stack([panned[(7 * clip + 2 * t) % 96] for t in range(FRAMES)]) for clip in range(60)])
    assert not adapted(moving).fixed_camera


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("frames", [1, 2])
def test_a_few_clips_of_a_few_frames_are_enough(discs: Tensor, count: int, frames: int) -> None:
    result = adapted(discs[:count, :frames])
    assert 0 < result.contrast <= 1
    assert torch.isfinite(result.background).all()
    assert count >= 4 or not result.symmetries
    assert all(0 <= ratio for ratio in result.symmetry_ratios.values())


def test_a_symmetry_must_keep_the_class() -> None:
    right = glyphs(F)
    video = torch.stack([right, right.flip(-1)], dim=1).flatten(0, 1)  # both ways of a glyph, one a class
    clips = Labeled(video, torch.arange(len(video)) % 2)
    assert "columns" in adapt(clips).symmetries
    assert "columns" not in adapt(clips, by_class=True).symmetries
    alone = Labeled(video, torch.arange(len(video)))  # each clip is a class of its own
    assert adapt(alone, by_class=True).symmetries == ()


def test_motion_that_only_goes_one_way_is_not_reversed() -> None:
    still = glyphs(SQUARE)
    video = torch.stack([torch.roll(still[:, 0], 3 * time, dims=-1) for time in range(FRAMES)], dim=1)
    ratios = adapted(video).symmetry_ratios
    assert max(ratios["reverse"], ratios["columns"]) < 0.9 <= ratios["rows"]
    both = torch.cat([video[::2], video[1::2].flip(1)])
    order = torch.randperm(len(both), generator=torch.Generator().manual_seed(0))
    assert adapted(both[order]).symmetry_ratios["reverse"] >= 0.9


def test_clips_need_not_be_square(discs: Tensor) -> None:
    wide = adapted(discs[..., 8:-8, :])
    assert min(wide.symmetry_ratios["columns"], wide.symmetry_ratios["rows"]) >= 0.9
    assert (wide.square, adapted(discs[:4]).square) == (False, True)
    narrow = adapted(discs[..., 14:-14, :]).symmetry_ratios  # windows are narrow, too
    assert narrow["transpose"] == 0
    assert narrow["columns"] >= 0.9
    assert adapted(discs[..., 20:22, 20:28]).contrast > 0


def test_clips_without_anything_are_no_error() -> None:
    result = adapted(torch.full((6, FRAMES, 3, SIZE, SIZE), 77, dtype=torch.uint8))
    assert (result.background * 255).round().flatten().tolist() == [77, 77, 77]
    assert result.contrast == LEAST_CONTRAST / 255
    assert result.symmetries == ()


def test_every_line_is_one_line_and_names_what_it_tells() -> None:
    result = adapted(film(20))
    lines = [result.normalization_line(), result.background_line(), result.symmetry_line()]
    assert not any("\n" in line for line in lines)
    assert [line.partition(":")[0] for line in lines] == ["normalization", "backgrounds", "symmetries"]
    assert "fixed camera" in lines[0]
    assert "(0, 0, 0)" in adapted(glyphs(SQUARE, 20)).normalization_line()


def test_of_many_clips_several_samples_are_averaged(discs: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptation, "SAMPLED_CLIPS", len(discs) // 3)
    sizes, ratios = [], iter([0.6, 1.2, 1.2])

    def ratio(video: Tensor, *_: object) -> dict[str, float]:
        sizes.append(len(video))
        return {"columns": next(ratios)}

    monkeypatch.setattr(adaptation, "window_symmetry_ratios", ratio)
    assert adapt(Memory(discs)).symmetry_ratios == {"columns": pytest.approx(1.0)}
    assert sizes == [len(discs) // 3] * 3
    samples = adaptation._samples(Memory(discs))
    assert len({clip for sample in samples for clip in sample}) > 0.9 * len(discs)
