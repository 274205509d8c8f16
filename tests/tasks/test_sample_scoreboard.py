"""The scoreboard of samples: copies cry out, one color covers nothing, and only val calibrates the judge."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from trajvq.augment import ClipSymmetries
from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD
from trajvq.io.video import to_float
from trajvq.metrics.sampling.description import parameter_bits
from trajvq.metrics.scoreboard import value_of
from trajvq.metrics.tracking import Tracks
from trajvq.models.transformer import TokenLayout
from trajvq.tasks import sample_scoreboard
from trajvq.tasks.sample_scoreboard import SampleScoreboard
from trajvq.tasks.tracked_clips import RealClips, TrackedClips, TrainingClips, shift_of
from trajvq.tasks.tracks import TrackTraining, classify_tracks

LAYOUT = TokenLayout(16, (4, 4), (2, 2, 2), 8)
EACH = 80


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sampled") / "data"
    generate(path, {"train": EACH, "val": EACH, "test": EACH, **dict.fromkeys(OOD, 0)})
    return path


def clips_of(folder: Path, split: str, sigma: float = 0.05) -> RealClips:
    """Return a split as a tokenizer of some noise would show it, with random tokens of its own."""
    clips, rng = Clips(folder, split), np.random.default_rng(len(split))
    columns = {name: clips.columns[name].numpy() for name in ("pixel", "radius", "color")}
    pixel = columns["pixel"] + rng.normal(0, sigma, columns["pixel"].shape)
    color = np.repeat(columns["color"][:, None] / 255, pixel.shape[1], axis=1)
    tracks = Tracks(pixel, columns["radius"].astype(float), color, np.ones(pixel.shape[:2], dtype=np.int64))
    tokens = torch.from_numpy(rng.integers(0, 16, (len(clips), 2, 2, 2)))
    return RealClips(clips, TrackedClips(tokens, clips.columns["label"].numpy(), tracks))


def replace_tokens(clips: RealClips, tokens: Tensor) -> RealClips:
    return RealClips(clips.clips, TrackedClips(tokens, clips.tracked.label, clips.tracked.tracks))


@pytest.fixture(scope="module")
def train(folder: Path) -> TrainingClips:
    """The training clips in the first version and in another one, rotated."""
    clips = clips_of(folder, "train").tracked
    path = clips.tracks.pixel[:, :, 0]
    tokens = torch.stack([clips.tokens, clips.tokens.flip(0)], dim=1)
    return TrainingClips.of_single(
        tokens, clips.label, np.stack([path, (path - 32) @ [[0.8, 0.6], [-0.6, 0.8]] + 32], axis=1), shift=2.0
    )


@pytest.fixture(scope="module")
def board(folder: Path, train: TrainingClips) -> SampleScoreboard:
    return SampleScoreboard(train, clips_of(folder, "val"), LAYOUT, ClipSymmetries([], shift=2))


def guess(network: object, layout: object, classes: int, train: object, targets: dict[str, Tensor], *_: object) -> Any:
    """Stand for `classify_tracks`, without training."""
    return {name: torch.full((len(target), classes), 1 / classes) for name, target in targets.items()}


@pytest.fixture(autouse=True)
def _no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_scoreboard, "classify_tracks", guess)


def test_other_real_clips_are_good_samples(
    folder: Path, board: SampleScoreboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_scoreboard, "classify_tracks", classify_tracks)
    monkeypatch.setattr(sample_scoreboard, "GAN", TrackTraining(steps=1))
    real = clips_of(folder, "test")
    rows = board.compute(real, {"model": real.tracked, "model_at_1": real.tracked})
    assert list(rows) == ["classes_rotated", "reconstructed", "copies", "model", "model_at_1"]
    model = rows["model"]
    assert value_of(model["class_match"]) >= 0.95
    assert value_of(model["class_match_at"]) >= 0.95
    assert model["of_ceiling"] == pytest.approx(1)
    assert model["coverage"] == 1
    assert model["coverage_of_real"] == pytest.approx(1 / rows["reconstructed"]["coverage"])
    assert value_of(model["appearance_match"]) > 0.85
    assert value_of(rows["classes_rotated"]["class_match"]) <= 0.05
    for name in ("gan_train", "gan_test"):
        assert all(0 <= value_of(rows[row][name]) <= 1 for row in ("reconstructed", "model", "model_at_1"))
    assert {name: value for name, value in rows["model_at_1"].items() if name != "description_bits"} == {
        name: value for name, value in model.items() if name != "description_bits"
    }


def test_copies_of_any_version_cry_out_and_copies_of_val_do_not(
    folder: Path, board: SampleScoreboard, train: TrainingClips
) -> None:
    real, val, samples = clips_of(folder, "test"), clips_of(folder, "val").tracked, {}
    for version, name in enumerate(("first", "second")):
        path = train.paths[train.version == version] + np.random.default_rng(version).uniform(-2, 2, (EACH, 1, 2))
        tracks = replace(val.tracks, pixel=path[:, :, None])
        samples[name] = TrackedClips(train.tokens[:, version], train.label, tracks)
    rows = board.compute(real, {"model": val, **samples})
    for name in ("first", "second", "copies"):  # the last is the control
        assert rows[name]["memorization_path"] < 0.05
        assert rows[name]["memorization_tokens"] == 0
        assert value_of(rows[name]["nearer_path"]) == value_of(rows[name]["nearer_tokens"]) == 1
    samples_closest, clip, version_of = board.closest("second")
    assert samples_closest.tolist() == clip.tolist()
    assert len(set(clip.tolist())) == 8
    assert (version_of == 1).all()
    assert rows["model"]["memorization_path"] == rows["model"]["memorization_tokens"] == pytest.approx(1)


def test_memorization_is_left_out_where_val_is_itself_copied(folder: Path, train: TrainingClips) -> None:
    val, first = clips_of(folder, "val"), train.tokens[:, 0].clone()
    first[: EACH // 3] = val.tracked.tokens[: EACH // 3]  # the others are new
    repeated = SampleScoreboard(train, replace_tokens(val, first), LAYOUT, None)
    real = clips_of(folder, "test")
    rows = repeated.compute(real, {"model": real.tracked})
    assert "memorization_path" in rows["model"]
    for row in rows.values():
        assert not {"memorization_tokens", "nearer_tokens"} & row.keys()
    assert [line for line in repeated.remarks(real) if "memorization" in line] == [
        "memorization of tokens is left out: half of val or more cannot be told from training clips"
    ]


def test_one_color_for_all_loses_more_than_half_of_the_coverage(folder: Path, board: SampleScoreboard) -> None:
    real = clips_of(folder, "test")
    gray = replace(
        real.tracked, tracks=replace(real.tracked.tracks, color=np.full_like(real.tracked.tracks.color, 0.5))
    )
    rows = board.compute(real, {"model": gray})
    assert rows["model"]["coverage"] < rows["reconstructed"]["coverage"] / 2
    assert value_of(rows["model"]["class_match"]) >= 0.95


def test_the_judge_is_calibrated_on_val_alone(folder: Path, train: TrainingClips) -> None:
    with pytest.raises(ValueError, match="calibrated on val, not on test"):
        SampleScoreboard(train, clips_of(folder, "test"), LAYOUT, None)
    board = SampleScoreboard(train, clips_of(folder, "val", sigma=0.3), LAYOUT, None)
    assert board.physics is not None
    assert 0.25 < board.physics.judge.sigma < 0.6
    reference = board.physics.reference.copy()
    rows = board.compute(clips_of(folder, "test", sigma=0.01), {"model": clips_of(folder, "test").tracked})
    assert 0.25 < board.physics.judge.sigma < 0.6
    assert rows["reconstructed"]["physics_residual"] < 0.1  # of the noisier val
    np.testing.assert_array_equal(board.physics.reference, reference)


def test_val_is_not_judged_by_a_judge_that_it_calibrated(folder: Path, board: SampleScoreboard) -> None:
    val = clips_of(folder, "val")
    rows = board.compute(val, {"model": clips_of(folder, "test").tracked})
    assert not {"class_match", "coverage", "appearance_match"} & rows["reconstructed"].keys()
    assert "objects" not in rows["model"]  # every real clip has one
    assert not {"of_ceiling", "coverage_of_real"} & rows["model"].keys()
    assert "class_match" in rows["model"]
    assert any("calibrated on val" in remark for remark in board.remarks(val))
    assert not any("lacks" in remark for remark in board.remarks(clips_of(folder, "test")))


def test_a_split_of_one_clip_has_no_coverage_and_says_so(folder: Path, board: SampleScoreboard, tmp_path: Path) -> None:
    generate(tmp_path / "one", {"train": 0, "val": 0, "test": 1, **dict.fromkeys(OOD, 0)})
    real = clips_of(tmp_path / "one", "test")
    rows = board.compute(real, {"model": clips_of(folder, "test").tracked})
    assert not {"coverage", "density", "coverage_of_real"} & (rows["model"].keys() | rows["reconstructed"].keys())
    assert "class_match" in rows["model"]
    assert any("one clip" in remark for remark in board.remarks(real))


def test_without_an_object_to_judge_in_val_figures_of_objects_are_left_out(folder: Path, train: TrainingClips) -> None:
    val = clips_of(folder, "val")
    val.clips.columns["occluded"] = torch.ones_like(val.clips.columns["occluded"])
    board, real = SampleScoreboard(train, val, LAYOUT, None), clips_of(folder, "test")
    rows = board.compute(real, {"model": real.tracked})
    assert list(rows) == ["copies", "model"]
    assert all(row.keys() == {"memorization_tokens", "nearer_tokens"} for row in rows.values())
    (remark,) = board.remarks(real)
    assert remark.startswith("figures of objects are left out: no object of val can be seen in half of the frames")
    assert len(board.closest("model")[0]) == 8


def test_the_shift_of_training_is_that_of_its_augmentation() -> None:
    assert shift_of(ClipSymmetries(shift=3)) == 3
    assert shift_of(None) == 0


def test_samples_without_object_are_wrong_to_every_classifier(
    folder: Path, board: SampleScoreboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def always_first(*arguments: Any) -> Any:
        return {name: torch.eye(arguments[2])[[0] * len(target)] for name, target in arguments[4].items()}

    monkeypatch.setattr(sample_scoreboard, "classify_tracks", always_first)
    real = clips_of(folder, "test")
    samples = {}
    for name, share in (("model", 0.0), ("half", 0.5), ("blank", 1.0), ("flicker", 0.0)):
        pixel, count = real.tracked.tracks.pixel.copy(), real.tracked.tracks.count.copy()
        pixel[: int(share * EACH)], count[: int(share * EACH)] = np.nan, 0
        if name == "flicker":
            pixel[:, ::4], count[:, ::4] = np.nan, 0
        tracks = replace(real.tracked.tracks, pixel=pixel, count=count)
        samples[name] = TrackedClips(real.tracked.tokens, np.zeros(EACH, dtype=np.int64), tracks)
    rows = board.compute(real, samples)
    right = {name: value_of(rows[name]["gan_test"]) for name in samples}
    assert right == {"model": 1.0, "half": 0.5, "blank": 0.0, "flicker": 0.0}
    assert value_of(rows["blank"]["gan_train"]) == 0
    assert value_of(rows["model"]["gan_train"]) == pytest.approx(0.25)  # of the real clips, a quarter is of the class


def test_a_second_object_in_every_frame_hides_no_copy(
    folder: Path, board: SampleScoreboard, train: TrainingClips
) -> None:
    copies = train.paths[train.version == 0]
    pixel = np.stack([copies, np.full_like(copies, 4.0)], axis=2)
    tracks = Tracks(pixel, np.ones(pixel.shape[:3]), np.full((*pixel.shape[:3], 3), 0.5), np.full(pixel.shape[:2], 2))
    row = board.compute(clips_of(folder, "test"), {"model": TrackedClips(train.tokens[:, 0], train.label, tracks)})[
        "model"
    ]
    assert value_of(row["visible"]) == 0
    assert row["memorization_path"] < 0.05


class Picture:
    """Stand for a tokenizer whose tokens are numbers of clips ``(N, 3, T, H, W)``."""

    def __init__(self, video: Tensor) -> None:
        self.video = video

    def decode(self, tokens: Tensor) -> Tensor:
        return self.video[tokens[:, 0, 0, 0]]


def test_every_object_of_a_clip_is_searched_for_copies_taught_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"train": 12, "val": 12, "test": 0, **dict.fromkeys(OOD, 0)}
    generate(tmp_path / "scenes", sizes, preset="scenes")
    decoded: dict[str, Any] = {}
    for split in ("train", "val"):
        clips = Clips(tmp_path / "scenes", split)
        tokenizer: Any = Picture(to_float(clips.batch(list(range(12)))["video"]))
        tokens = torch.arange(12)[:, None, None, None]
        decoded[split] = clips, tokenizer, TrackedClips.decoded(tokenizer, tokens, clips.columns["label"])
    clips, tokenizer, first = decoded["train"]
    val = RealClips(decoded["val"][0], decoded["val"][2])
    train = TrainingClips.decoded(tokenizer, first.tokens[:, None], first.label, val.matched.most)
    taught = []

    def record(*arguments: Any) -> Any:
        taught.append(arguments[3][0])
        return guess(*arguments)

    monkeypatch.setattr(sample_scoreboard, "classify_tracks", record)
    new, old = val.tracked.tracks, first.tracks
    one = Tracks(new.pixel[:, :, :1], new.radius[:, :, :1], new.color[:, :, :1], np.ones((12, 16), np.int64))
    # A new object in front of those of a training clip, in every frame the largest.
    behind = Tracks(
        np.concatenate([one.pixel, old.pixel], axis=2),
        np.concatenate([np.full((12, 16, 1), 9.0), old.radius], axis=2),
        np.concatenate([np.ones((12, 16, 1, 3)), old.color], axis=2),
        old.count + 1,
    )
    board = SampleScoreboard(train, val, LAYOUT, None)
    rows = board.compute(val, {"model": replace(first, tracks=one), "copies_behind": replace(first, tracks=behind)})
    assert value_of(rows["model"]["objects"]) == value_of(rows["model"]["visible"]) == 1
    assert value_of(rows["reconstructed"]["objects"]) == val.tracked.tracks.count.mean() > 1.5
    number = np.isfinite(val.clips.columns["pixel"].numpy()).any(axis=(1, 3)).sum(axis=1)
    coarse = (0.05, 0.05, 3.0)  # errors above those of clear frames, and below those of frames in which objects touch
    least = parameter_bits(val.tracked.label, board.classes, 64, coarse, number)
    assert least < rows["model"]["description_bits"] < 1.5 * least
    objects = np.isfinite(clips.columns["pixel"].numpy()).any(axis=(1, 3)).sum()
    assert objects - 3 <= len(taught[0]) <= objects + 3
    assert rows["copies"]["memorization_path"] < 0.05
    assert value_of(rows["copies_behind"]["nearer_path"]) > 0.4 > value_of(rows["model"]["nearer_path"])
