"""Forecasts of any program: each way to cheat scores badly where it should."""

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("motion") / "data"
    generate(path, {"train": 4, "val": 120, "test": 20, **dict.fromkeys(OOD, 0)})
    return path


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, np.ndarray]:
    clips = Clips(folder, "test")
    return {name: value.numpy() for name, value in clips.batch(list(range(20))).items()}


def score(path: Path, folder: Path, task: str, video: np.ndarray, **more: Any) -> dict[str, dict[str, Any]]:
    np.savez(path / "made.npz", video=video, **more)
    out = path / "board.json"
    arguments = ["score", str(path / "made.npz"), "--data", str(folder), "--task", task, "--out", str(out)]
    assert main(arguments) == 0
    board = json.loads(out.read_text())
    return dict(board["rows"])


def test_the_true_future_is_no_error_and_a_frozen_one_is(
    tmp_path: Path, folder: Path, truth: dict[str, np.ndarray]
) -> None:
    rows = score(tmp_path, folder, "forecast", truth["video"])
    assert value_of(rows["model"]["ade"]) < 0.03
    assert value_of(rows["model"]["miss_2px"]) == 0
    assert value_of(rows["model"]["visible"]) == 1
    assert {"nearest_clip", "best_family_tracked", "true_family_tracked"} < set(rows)
    assert set(rows["model"]["per_class"]) == {"linear", "circular", "helical", "parabolic"}
    assert value_of(rows["true_family_tracked"]["ade"]) < value_of(rows["constant_velocity"]["ade"])
    assert value_of(rows["constant_velocity"]["ade"]) < value_of(rows["blank"]["ade"])
    assert value_of(rows["blank"]["ade"]) == 32
    assert value_of(rows["copy_last"]["ade"]) > 4
    assert len(rows["model"]["horizon"]) == 8
    frozen = truth["video"].copy()
    frozen[:, 8:] = frozen[:, 7:8]
    row = score(tmp_path, folder, "forecast", frozen)["model"]
    assert value_of(row["ade"]) == pytest.approx(value_of(rows["copy_last"]["ade"]), rel=0.02)


def test_vanishing_half_way_counts_as_error(tmp_path: Path, folder: Path, truth: dict[str, np.ndarray]) -> None:
    gone = truth["video"].copy()
    gone[:, 12:] = 255
    row = score(tmp_path, folder, "forecast", gone)["model"]
    assert value_of(row["ade"]) == pytest.approx(16, abs=0.1)
    assert value_of(row["fde"]) == 32
    assert value_of(row["visible"]) == 0.5


def test_frames_smaller_than_the_window_of_ssim_are_scored_without_it(tmp_path: Path, folder: Path) -> None:
    clips = Clips(folder, "test")
    np.savez(tmp_path / "narrow.npz", videos=clips.batch(list(range(20)))["video"].numpy()[..., 28:36, :])
    narrow = tmp_path / "narrow"
    assert main(["data", "import-videos", str(tmp_path / "narrow.npz"), "--out", str(narrow)]) == 0
    test = Clips(narrow, "test")
    np.savez(tmp_path / "made.npz", video=test.batch(list(range(len(test))))["video"].numpy())
    out = tmp_path / "board.json"
    words = ["score", str(tmp_path / "made.npz"), "--data", str(narrow), "--task", "forecast", "--out", str(out)]
    assert main(words) == 0
    board = json.loads(out.read_text())
    assert value_of(board["rows"]["model"]["mse"]) == 0
    assert not any("ssim" in row for row in board["rows"].values())
    assert "ssim is left out: its window of 11 px is larger than the frames" in board["remarks"]


def test_no_clip_may_be_left_out(
    tmp_path: Path, folder: Path, truth: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "made.npz", video=truth["video"][:19])
    assert main(["score", str(tmp_path / "made.npz"), "--data", str(folder), "--task", "forecast"]) == 2
    assert "holds 19 clips for the 20" in capsys.readouterr().err
