"""Samples of any program: each way to cheat scores badly where it should."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD
from trajvq.metrics.scoreboard import value_of

CLASSES = ("linear", "circular", "helical", "parabolic")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("samples") / "data"
    generate(path, {"train": 4, "val": 60, "test": 40, **dict.fromkeys(OOD, 0)})
    return path


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, np.ndarray]:
    clips = Clips(folder, "test")
    return {name: value.numpy() for name, value in clips.batch(list(range(40))).items()}


def score(path: Path, folder: Path, video: np.ndarray, *options: str, **more: Any) -> dict[str, Any]:
    np.savez(path / "samples.npz", video=video, **more)
    out = path / "board.json"
    arguments = ["score", str(path / "samples.npz"), "--data", str(folder), "--task", "sample", "--out", str(out)]
    assert main([*arguments, *options]) == 0
    return dict(json.loads(out.read_text()))


def test_true_clips_match_their_classes(tmp_path: Path, folder: Path, truth: dict[str, np.ndarray]) -> None:
    board = score(tmp_path, folder, truth["video"], label=truth["label"])
    rows = board["rows"]
    assert board["classes"] == list(CLASSES)
    assert value_of(rows["model"]["class_match"]) >= 0.95
    assert value_of(rows["model"]["class_match_at"]) >= 0.95
    assert value_of(rows["model"]["visible"]) == 1
    assert rows["model"]["physics_residual"] == pytest.approx(1, abs=0.25)
    assert value_of(rows["classes_rotated"]["class_match"]) <= 0.05
    names = np.array(CLASSES)[truth["label"]]
    assert score(tmp_path, folder, truth["video"], "--count", "10", label=names)["rows"] == rows


def test_the_number_of_samples_of_each_class_is_stated_and_may_be_required(
    tmp_path: Path, folder: Path, truth: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    few = truth["label"] != 2
    board = score(tmp_path, folder, truth["video"][few], label=truth["label"][few])
    assert "samples by class: linear 10, circular 10, helical 0, parabolic 10" in board["remarks"]
    command = ["score", str(tmp_path / "samples.npz"), "--data", str(folder), "--task", "sample", "--count", "10"]
    assert main(command) == 2
    assert "0 samples of class helical instead of --count 10" in capsys.readouterr().err


def test_classes_that_are_no_families_are_left_out_in_words(
    tmp_path: Path, folder: Path, truth: dict[str, np.ndarray]
) -> None:
    np.savez(tmp_path / "own.npz", video=truth["video"], label=np.array(["up", "down"])[truth["label"] % 2])
    own = tmp_path / "own"
    assert main(["data", "import-videos", str(tmp_path / "own.npz"), "--out", str(own)]) == 0
    clips = Clips(own, "val")
    video, label = (clips.batch(list(range(len(clips))))[name].numpy() for name in ("video", "label"))
    board = score(tmp_path, own, video, label=label)
    assert list(board["rows"]) == ["model"]
    assert set(board["rows"]["model"]) == {"visible"}
    assert any("is a motion family" in remark for remark in board["remarks"])


def cheats(video: np.ndarray) -> dict[str, np.ndarray]:
    second = np.minimum(video, np.roll(video, (20, 20), axis=(-2, -1)))
    vanish = video.copy()
    vanish[:, 8:] = 255
    order = np.random.default_rng(0).permutation(16)
    return {
        "blank": np.full_like(video, 255),
        "frozen": np.broadcast_to(video[:, :1], video.shape).copy(),
        "mean video": np.broadcast_to(video.mean(axis=1, keepdims=True).astype(np.uint8), video.shape).copy(),
        "second object": second,
        "vanishes half-way": vanish,
        "frames in another order": video[:, order],
    }


@pytest.mark.parametrize(
    "cheat", ["blank", "frozen", "mean video", "second object", "vanishes half-way", "frames in another order"]
)
def test_cheats_match_no_class(tmp_path: Path, folder: Path, truth: dict[str, np.ndarray], cheat: str) -> None:
    row = score(tmp_path, folder, cheats(truth["video"])[cheat], label=truth["label"])["rows"]["model"]
    assert value_of(row["class_match"]) <= 0.1


def test_no_sample_may_lack_a_class(
    tmp_path: Path, folder: Path, truth: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    for change, words in (
        ({"label": np.full(40, 7)}, "clip 0 has label 7"),
        ({"label": np.array(["up"] * 40)}, "clip 0 has label up"),
        ({}, "clip 0 has no label; give every clip its class"),
    ):
        np.savez(tmp_path / "samples.npz", video=truth["video"], **change)
        assert main(["score", str(tmp_path / "samples.npz"), "--data", str(folder), "--task", "sample"]) == 2
        assert words in capsys.readouterr().err


def test_single_objects_in_place_of_several_are_counted(tmp_path: Path) -> None:
    sizes = {"train": 0, "val": 20, "test": 8, **dict.fromkeys(OOD, 0)}
    generate(tmp_path / "scenes", sizes, preset="scenes")
    clips = Clips(tmp_path / "scenes", "test").batch(list(range(8)))
    video, label = clips["video"].numpy(), clips["label"].numpy()
    true = score(tmp_path, tmp_path / "scenes", video, label=label)["rows"]
    assert true["val"]["objects"]["low"] < value_of(true["model"]["objects"]) < true["val"]["objects"]["high"]
    single = np.full_like(video, 255)
    single[:, :, :, 30:34, 30:34] = 0
    rows = score(tmp_path, tmp_path / "scenes", single, label=label)["rows"]
    assert value_of(rows["model"]["visible"]) == value_of(rows["model"]["objects"]) == 1
    assert rows["model"]["objects"]["high"] < rows["val"]["objects"]["low"]


def test_without_an_object_to_judge_by_nothing_is_scored(
    tmp_path: Path, truth: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "samples.npz", video=truth["video"], label=truth["label"])
    plain = np.broadcast_to(np.arange(40, dtype=np.uint8)[:, None, None, None, None], truth["video"].shape)
    np.savez(tmp_path / "plain.npz", video=plain, label=truth["label"])
    data = str(tmp_path / "plain")
    assert main(["data", "import-videos", str(tmp_path / "plain.npz"), "--out", data]) == 0
    capsys.readouterr()
    assert main(["score", str(tmp_path / "samples.npz"), "--data", data, "--task", "sample"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "no object of val can be seen in half of the frames of its clip" in line


@pytest.mark.parametrize("change", ["size", "frames"])
def test_samples_of_another_size_are_one_line(
    tmp_path: Path, folder: Path, truth: dict[str, np.ndarray], change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    video = truth["video"][..., :48] if change == "size" else truth["video"][:, :12]
    np.savez(tmp_path / "samples.npz", video=video, label=truth["label"])
    assert main(["score", str(tmp_path / "samples.npz"), "--data", str(folder), "--task", "sample"]) == 2
    size = "16 frames of 48x64" if change == "size" else "12 frames of 64x64"
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"clips are {size}, but those of {folder} are 16 of 64x64" in line
