"""Forecasting as a user drives it: the future is not read, runs continue exactly, any clip is continued."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import lightning as L
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.toy_runs import SHORT, copy_run, options
from tests.wandb_file import read_back
from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.storage.shards import write_shard
from trajvq.io.video import to_float
from trajvq.metrics.details import ClipDetails
from trajvq.metrics.scoreboard import value_of
from trajvq.metrics.submissions.motion import score_forecasts
from trajvq.models import AutoregressiveTokens, Generator, MaskedTokens, ParallelTokens, TrajectoryPredictor
from trajvq.models.sampling import Sampling
from trajvq.tasks import Forecast
from trajvq.tasks.forecast import GREEDY, seed_of
from trajvq.tokens.datamodule import TokenDataModule

OWN_TRAJECTORY = """
import torch
from torch import nn


class ConstantVelocity(nn.Module):
    has_density = False

    def build(self, layout, classes):
        self.scale = nn.Parameter(torch.ones(()))

    def snap(self, tracks):
        return tracks

    def log_probability(self, tracks, label):
        raise ValueError("no density")

    def loss(self, tracks, context, label):
        return (self.scale - 1).square() + 0 * tracks.nan_to_num().sum()

    def sample(self, prefix, frames, label, sampling, generators):
        step = self.scale * (prefix[:, -1:] - prefix[:, -2:-1])
        steps = torch.arange(1, frames - prefix.shape[1] + 1).view(1, -1, 1)
        return torch.cat([prefix, prefix[:, -1:] + steps * step], dim=1)
"""
Train = Callable[..., int]


@pytest.fixture
def common(dataset: Path, tokenizer: Path, here: Path) -> list[str]:
    return options("forecast", dataset, tokenizer)


@pytest.fixture
def train(common: list[str]) -> Train:
    def run(*extra: str) -> int:
        return main(["fit", *common, *SHORT, "--trainer.logger=false", *extra])

    return run


@pytest.fixture
def finished(forecast_run: Path, here: Path) -> Path:
    return copy_run(forecast_run, here)


def untrained(tokenizer: Path, dataset: Path, tokens: nn.Module, trajectory: bool = True) -> Forecast:
    """Return an untrained forecaster for tests where only its inputs matter."""
    torch.manual_seed(0)
    network = Generator(tokens, TrajectoryPredictor(16) if trajectory else None)
    task = Forecast(tokenizer_ckpt=str(tokenizer), network=network, total_steps=4, context=4, horizon=4)
    task.trainer = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    data = TokenDataModule(dataset)
    task.trainer.datamodule = data  # type: ignore[attr-defined]
    task.layout, task.classes = task.tokenizer.layout(data.manifest), data.manifest.classes
    task.build(task.layout, task.classes)
    return task.eval()


def test_a_run_leaves_a_scoreboard_and_pictures(forecast_run: Path) -> None:
    rows = list(csv.DictReader((forecast_run / "metrics.csv").open()))
    for name in ("train/loss", "train/path", "train/token", "val/ade"):
        assert any(row[name] for row in rows), name
    board = json.loads((forecast_run / "scoreboards/test.json").read_text())
    assert (board["task"], board["clips"], board["truth"]) == ("forecast", 12, "stored")
    assert (board["context"], board["horizon"]) == (4, 4)
    assert list(board["rows"])[-4:] == ["true_family_reconstructed", "tokenizer", "samples_middle", "model"]
    assert list(board["rows"])[:4] == ["blank", "mean_frame", "copy_last", "frame_shift"]
    for name in ("blank", "mean_frame", "copy_last", "frame_shift", "tokenizer", "model"):
        assert board["rows"][name].keys() > {"mse", "psnr", "ssim", "ade", "visible"}, name
    assert any("its tokens do not hold what moves" in remark for remark in board["remarks"])  # it is not trained
    model = board["rows"]["model"]
    for name in ("ade", "fde", "miss_2px", "visible", "object_psnr", "ade_samples", "min_ade_3", "energy_score"):
        assert model[name].keys() == {"value", "low", "high"}, name
    assert len(model["horizon"]) == 4
    parts = [model["budget"][name] for name in ("extractor", "tokenizer", "dynamics", "together")]
    assert sum(parts) == pytest.approx(model["budget"]["total"])
    ood = json.loads((forecast_run / "scoreboards/ood_size.json").read_text())["rows"]["model"]
    assert ood["ood_over_id"] == pytest.approx(ood["ade"]["value"] / model["ade"]["value"])
    for name in ("horizon-test.png", "fans-test.png", "fans-ood_size.png"):
        with Image.open(forecast_run / "media" / name) as picture:
            assert min(picture.size) > 200
    history = read_back(forecast_run / "wandb")["history"]
    for split in ("test", "ood_size"):
        assert history[f"{split}/horizon_table/_type"] == ["table-file"]
        assert history[f"media/fans_{split}/_type"] == ["images/separated"]


def test_predictions_begin_with_the_context_and_score_as_in_the_test(
    finished: Path, common: list[str], dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", *common]) == 0
    with h5py.File(finished / "predictions.h5") as file:
        video, index = file["video"][:], file["index"][:]
    truth = Clips(dataset, "test").batch(index.tolist())["video"].numpy()
    assert video.shape == truth.shape
    np.testing.assert_array_equal(video[:, :4], truth[:, :4])
    with Image.open(finished / "predictions.gif") as gif:
        assert gif.n_frames == 8  # type: ignore[attr-defined]
    scored = score_forecasts(finished / "predictions.h5", Clips(dataset, "test"), 4)
    assert (scored["context"], scored["horizon"]) == (4, 4)
    scored = scored["rows"]["model"]
    tested = json.loads((finished / "scoreboards/test.json").read_text())["rows"]["model"]
    assert scored["ade"]["value"] == pytest.approx(tested["ade"]["value"], abs=1e-6)
    assert "predictions.gif" in capsys.readouterr().out


@pytest.mark.parametrize("trajectory", [False, True])
@pytest.mark.parametrize(
    "tokens",
    [
        ParallelTokens(width=16, background_width=8),
        AutoregressiveTokens(width=16, background_width=8),
        MaskedTokens(width=16, by_frame=True),
        MaskedTokens(width=16),
    ],
)
def test_noise_in_the_future_changes_nothing_bit_for_bit(
    tokenizer: Path, dataset: Path, tokens: nn.Module, trajectory: bool
) -> None:
    task = untrained(tokenizer, dataset, tokens, trajectory)
    video = to_float(Clips(dataset, "test").batch(list(range(6)))["video"])
    noisy = video.clone()
    noisy[:, :, 4:] = torch.rand_like(noisy[:, :, 4:])
    index, encode = torch.arange(6), task.tokenizer.encode
    for sampling in (GREEDY, Sampling()):
        first, second = (task(encode(clips[:, :, :4].contiguous()), index, sampling, 1) for clips in (video, noisy))
        assert torch.equal(first[0], second[0])
        assert torch.equal(first[1], second[1])
    assert not torch.equal(encode(video), encode(noisy))  # the test can fail


def with_noise_for_a_future(dataset: Path, folder: Path, context: int) -> None:
    """Copy a dataset, with noise for what follows the context in the pixels of ``test``."""
    shutil.copytree(dataset, folder)
    manifest, rng = read_manifest(folder), np.random.default_rng(0)
    for number, entry in enumerate(manifest.splits["test"]):
        with h5py.File(folder / entry["file"]) as file:
            columns = {name: file[name][:] for name in file if name != "crc32"}
        future = columns["video"][:, context:]
        future[:] = rng.integers(0, 256, future.shape)
        manifest.splits["test"][number] = write_shard(folder / entry["file"], columns)
    manifest.write(folder)


def kept_predictions(board: Path, context: int) -> list[np.ndarray]:
    """Return what a test keeps of its predictions, in the order of the clips: pixels, positions and samples."""
    details = ClipDetails.load(board)
    order = np.argsort(details.index[details.kept])
    assert len(order) == 12  # all clips of the split
    arrays = [details.clips["prediction"][:, context:], details.paths["prediction"], details.paths["samples"]]
    return [array[order] for array in arrays]


def test_noise_for_a_future_in_the_dataset_changes_no_prediction_and_no_board_of_the_run(
    finished: Path, common: list[str], here: Path, dataset: Path
) -> None:
    with_noise_for_a_future(dataset, here / "noisy", 4)
    words = [word for word in common if not word.startswith("--data.path")]
    videos = []
    for path in (dataset, "noisy"):
        assert main(["predict", *words, f"--data.path={path}"]) == 0
        with h5py.File(finished / "predictions.h5") as file:
            videos.append(file["video"][:])
    np.testing.assert_array_equal(videos[0], videos[1])
    own = (finished / "scoreboards/test.json").read_bytes()
    assert main(["test", *words, "--data.path=noisy"]) == 0
    boards = [finished / "scoreboards" / name for name in ("test.npz", "noisy/test.npz")]
    for first, second in zip(*(kept_predictions(board, 4) for board in boards), strict=True):
        np.testing.assert_array_equal(first, second)
    assert (finished / "scoreboards/test.json").read_bytes() == own
    datasets = [json.loads(board.with_suffix(".json").read_text())["dataset"] for board in boards]
    assert [Path(dataset["path"]).name for dataset in datasets] == ["small", "noisy"]
    assert datasets[0]["sha256"] != datasets[1]["sha256"]
    assert (finished / "media/noisy/fans-test.png").exists()
    rows = json.loads(boards[1].with_suffix(".json").read_text())["rows"]
    assert value_of(rows["model"]["mse"]) > 0.05  # it was compared with the noise


def test_a_prediction_depends_on_its_clip_and_number_alone(tokenizer: Path, dataset: Path) -> None:
    task = untrained(tokenizer, dataset, AutoregressiveTokens(width=16, depth=1, background_width=8))
    video = to_float(Clips(dataset, "test").batch(list(range(6)))["video"])
    context = task.tokenizer.encode(video[:, :, :4].contiguous())
    _, together = task(context, torch.arange(6), Sampling(), 1)
    _, alone = task(context[4:5], torch.tensor([4]), Sampling(), 1)
    assert torch.equal(together[4:5], alone)
    _, other = task(context, torch.arange(6), Sampling(), 2)
    assert not torch.equal(together, other)
    assert len({seed_of(clip, number) for clip in range(50) for number in range(21)}) == 50 * 21


def test_clips_continue_beyond_their_length_and_the_equation_is_the_truth(finished: Path, common: list[str]) -> None:
    longer = [word for word in common if "context" not in word and "horizon" not in word]
    longer += ["--model.context=8", "--model.horizon=12", "--model.samples=0"]
    assert main(["test", *longer]) == 0
    model = json.loads((finished / "scoreboards/test.json").read_text())["rows"]["model"]
    assert len(model["horizon"]) == 12
    assert 0 < model["ade"]["value"] <= 32
    assert "budget" not in model
    assert main(["predict", *longer]) == 0
    with h5py.File(finished / "predictions.h5") as file:
        assert file["video"].shape == (12, 20, 3, 32, 32)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--model.context=5"], "model.context is 5; a token covers 4 frames, give a multiple"),
        (["--model.horizon=0"], "model.horizon is 0; a token covers 4 frames"),
        (["--model.horizon=8"], "have 8 frames; model.context and model.horizon need 12"),
        (["--data.tracks=false"], "set data.tracks and data.cache_tokens to true"),
        (["--model.network.denoiser=TrackDenoiser"], "which network.denoiser is not for; set it to null"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    train: Train, capsys: pytest.CaptureFixture[str], wrong: list[str], message: str
) -> None:
    assert train(*wrong) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_clips_without_truth_are_scored_by_their_tracks_in_pictures_of_any_shape(
    common: list[str], here: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[int, int]] = []
    monkeypatch.setattr("trajvq.callbacks.forecast.plot_fans", lambda *_, size: sizes.append(size))
    video = np.concatenate([Clips(dataset, split).batch(list(range(12)))["video"] for split in ("train", "test")])
    video = np.pad(video, [(0, 0)] * 4 + [(8, 8)], constant_values=255)  # white, like the background
    np.savez("plain.npz", videos=np.tile(video, (2, 1, 1, 1, 1)))
    assert main(["data", "import-videos", "plain.npz", "--out", "plain"]) == 0
    words = [word for word in common if not word.startswith("--data.path")]
    words += ["--data.path=plain", "--run=p"]
    assert main(["fit", *words, *SHORT, "--trainer.logger=false"]) == 0
    assert main(["test", *words]) == 0
    board: dict[str, Any] = json.loads((here / "runs/forecast/p/scoreboards/test.json").read_text())
    assert board["truth"] == "tracked"
    assert not any(name.startswith("true_family") for name in board["rows"])
    assert {"nearest_clip", "best_family_tracked", "frame_shift"} < set(board["rows"])
    assert sizes == [(32, 48)]


def test_a_trajectory_model_of_the_users_own_is_used_by_a_config(common: list[str], here: Path) -> None:
    (here / "own_trajectory.py").write_text(OWN_TRAJECTORY)
    words = [word for word in common if "network.trajectory" not in word]
    own = ["--model.network.trajectory=own_trajectory.ConstantVelocity", "--run=own"]
    assert main(["fit", *words, *SHORT, *own, "--trainer.logger=false"]) == 0
    assert main(["test", *words, *own, "--model.samples=0", "--data.test_splits=[ood_size]"]) == 0  # of four clips
    assert (here / "runs/forecast/own/scoreboards/ood_size.json").is_file()
