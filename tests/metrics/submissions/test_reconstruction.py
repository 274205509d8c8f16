"""Reconstructions of any program are scored, and the eye chart measures what is kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from trajvq.cli import main
from trajvq.commands import score as command
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import read_column
from trajvq.data.synthetic import chart as synthetic_chart
from trajvq.data.synthetic.chart import CONTRASTS, RADII, SHIFTS, make_chart
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD
from trajvq.io.video import to_float
from trajvq.metrics.intervals import Interval
from trajvq.metrics.reconstruction.truth import truth_of
from trajvq.metrics.scoreboard import value_of
from trajvq.metrics.submissions.chart import EyeChartFigures
from trajvq.report import eye_chart

CLIPS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("score") / "data"
    generate(path, {"train": 4, "val": 4, "test": CLIPS, **dict.fromkeys(OOD, 0)})
    return path


def truth(folder: Path) -> np.ndarray:
    clips = Clips(folder, "test")
    return clips.batch(list(range(len(clips))))["video"].numpy()


def score(path: Path, folder: Path, video: np.ndarray, **more: Any) -> dict[str, float]:
    np.savez(path / "made.npz", video=video, **more)
    out = path / "board.json"
    assert main(["score", str(path / "made.npz"), "--data", str(folder), "--out", str(out)]) == 0
    board = json.loads(out.read_text())
    assert board["task"] == "recon"
    return {name: value_of(figure) for name, figure in board["rows"]["model"].items()}


def test_simple_submissions_have_the_figures_that_theory_predicts(tmp_path: Path, folder: Path) -> None:
    video = truth(folder)
    perfect = score(tmp_path, folder, video)
    assert perfect["centroid_error"] <= 0.03
    assert perfect["skill"] == 1
    blank = score(tmp_path, folder, np.full_like(video, 255))
    assert blank["visible"] == 0
    assert blank["skill"] <= 0
    half = (video.astype(np.uint16) + np.roll(video, 1, axis=-1)) // 2
    assert score(tmp_path, folder, half.astype(np.uint8))["centroid_error"] == pytest.approx(0.5, abs=0.03)
    gone = video.copy()
    gone[:, 1::2] = 255
    flickering = score(tmp_path, folder, gone)
    assert flickering["visible"] == 0.5
    assert np.isfinite(list(flickering.values())).all()
    frozen = np.broadcast_to(video[:, :1], video.shape)
    assert score(tmp_path, folder, frozen)["centroid_error"] > 5


def test_order_type_and_axes_do_not_matter(tmp_path: Path, folder: Path) -> None:
    video = truth(folder)
    order = np.random.default_rng(0).permutation(len(video))
    assert score(tmp_path, folder, video[order], index=order)["mse"] == 0
    assert score(tmp_path, folder, (video / 255).transpose(0, 2, 1, 3, 4))["mse"] == 0
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file["video"], file["index"] = video[order], order
    assert main(["score", str(tmp_path / "made.h5"), "--data", str(folder)]) == 0


def test_tokens_add_bits_and_usage(tmp_path: Path, folder: Path) -> None:
    indices = np.arange(CLIPS * 256).reshape(CLIPS, 4, 8, 8) % 500
    row = score(tmp_path, folder, truth(folder), indices=indices, codebook_size=1000)
    assert row["bits"] == pytest.approx(2551.2, abs=0.1)
    assert row["codes_used"] == 500
    assert "probe_accuracy" not in row  # of four clips, even true positions tell nothing
    assert "bits_ideal" not in row


@pytest.mark.parametrize("count", [1, 2])
def test_a_split_of_hardly_any_clips_has_no_probe_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    generate(tmp_path / "few", {"train": 0, "val": 0, "test": count, **dict.fromkeys(OOD, 0)})
    indices = np.arange(count * 256).reshape(count, 4, 8, 8)
    row = score(tmp_path, tmp_path / "few", truth(tmp_path / "few"), indices=indices, codebook_size=1000)
    assert row["codes_used"] == 256 * count
    assert "probe_accuracy" not in row
    assert "probe_accuracy is left out" in capsys.readouterr().out


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A chart with all radii, contrasts, speeds and shifts, but a quarter of the clips of each."""
    path = tmp_path_factory.mktemp("chart") / "chart"
    with pytest.MonkeyPatch.context() as patch:
        for module in (synthetic_chart, eye_chart, command):
            patch.setattr(module, "REPEATS", 1)
        patch.setattr(synthetic_chart, "PAIRS", 4)
        make_chart(path, frames=8, size=40)
        yield path


def read_chart(chart: Path, video: np.ndarray) -> dict[str, Interval]:
    clips, reader = Clips(chart, "test"), EyeChartFigures()
    batch = clips.batch(list(range(len(clips))))
    batch["video"] = to_float(batch["video"])
    reader.update(truth_of(batch), video)
    params = read_column(chart, clips.manifest, "test", "params")
    assert params is not None
    return reader.compute(params[:, 0]).thresholds


def test_perfect_reconstructions_keep_the_whole_chart_and_blank_ones_nothing(chart: Path) -> None:
    video = truth(chart)
    perfect = {name: thresholds["value"] for name, thresholds in read_chart(chart, video).items()}
    assert perfect == {"radius": min(RADII), "contrast": min(CONTRASTS), "shift": min(SHIFTS)}
    blind = {name: thresholds["value"] for name, thresholds in read_chart(chart, np.full_like(video, 255)).items()}
    assert blind == {"radius": max(RADII), "contrast": max(CONTRASTS), "shift": max(SHIFTS)}


def test_thresholds_lie_where_discs_vanish(tmp_path: Path, chart: Path) -> None:
    video = truth(chart).copy()
    clips = Clips(chart, "test")
    batch = clips.batch(list(range(len(clips))))
    level, radius = batch["color"][:, 0, 0].numpy() / 255, batch["radius"][:, 0, 0].numpy()
    video[(1 - level < 0.2) | (radius < 1.4)] = 255  # keeps contrasts from 0.25 and radii from 1.5 px
    thresholds = read_chart(chart, video)
    assert 0.12 <= thresholds["contrast"]["value"] <= 0.25
    assert 1.0 <= thresholds["radius"]["value"] <= 1.5
    assert thresholds["contrast"]["low"] <= thresholds["contrast"]["value"] <= thresholds["contrast"]["high"]
    np.savez(tmp_path / "made.npz", video=video)
    assert main(["score", str(tmp_path / "made.npz"), "--data", str(chart), "--out", str(tmp_path / "board.json")]) == 0
    assert (tmp_path / "board.png").stat().st_size > 20_000
    written = json.loads((tmp_path / "board.json").read_text())["chart"]["thresholds"]
    assert written == {name: dict(interval) for name, interval in thresholds.items()}


def test_a_chart_of_another_size(tmp_path: Path) -> None:
    assert main(["chart", "--out", str(tmp_path / "chart"), "--size", "48", "--frames", "8"]) == 0
    assert Clips(tmp_path / "chart", "test").shape == (8, 3, 48, 48)
    assert main(["data", "verify", str(tmp_path / "chart")]) == 0
    assert main(["chart", "--out", str(tmp_path / "small"), "--size", "32"]) == 2
