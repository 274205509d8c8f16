"""Forecasting as a user drives it: the future is not read, runs continue exactly, any clip goes on."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from tests.wandb_file import read_back
from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.metrics.submissions.motion import score_forecasts
from trajvq.models import Forecaster
from trajvq.models.sampling import Sampling
from trajvq.tasks import Forecast
from trajvq.tasks.forecast import GREEDY, seed_of
from trajvq.tokens.datamodule import TokenDataModule

SMALL = [
    "--model.network.width=16",
    "--model.network.depth=1",
    "--model.network.background_width=8",
    "--model.network.background_depth=1",
    "--model.network.predictor_width=16",
    "--model.network.trajectory_width=16",
    "--model.network.trajectory_depth=1",
    "--model.context=4",
    "--model.horizon=4",
    "--model.samples=3",
    "--model.paths=16",
    "--model.warmup_steps=1",
    "--data.batch_size=8",
]
SHORT = ["--trainer.max_steps=4", "--trainer.val_check_interval=2", "--trainer.log_every_n_steps=1"]
Train = Callable[..., int]


@pytest.fixture
def common(dataset: Path, tokenizer: Path, here: Path) -> list[str]:
    return ["--config", "forecast", f"--data.path={dataset}", f"--model.tokenizer_ckpt={tokenizer}", *SMALL]


@pytest.fixture
def train(common: list[str]) -> Train:
    def run(*extra: str, logger: bool = False) -> int:
        return main(["fit", *common, *SHORT, *([] if logger else ["--trainer.logger=false"]), *extra])

    return run


@pytest.fixture
def task(dataset: Path, tokenizer: Path, here: Path) -> Forecast:
    """An untrained forecaster, as good as any where it matters what is looked at."""
    torch.manual_seed(0)
    network = Forecaster(width=16, depth=1, background_width=8, background_depth=1, predictor_width=16)
    made = Forecast(str(tokenizer), network, total_steps=4, context=4, horizon=4)
    data = TokenDataModule(dataset)
    data.tokenizer = made.tokenizer
    manifest = data.manifest
    made._make(made.tokenizer.layout(manifest), manifest.classes)
    return made.eval()


def test_a_run_leaves_a_scoreboard_pictures_and_clips_that_go_on(
    train: Train, common: list[str], here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--run=a", logger=True) == 0
    run = here / "runs/forecast/a"
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    for name in ("train/loss", "train/path", "train/token", "val/ade"):
        assert any(row[name] for row in rows), name
    assert main(["test", *common, "--data.test_splits=[ood_speed,test]", "--model.total_steps=4"]) == 0
    board = json.loads((run / "scoreboards/test.json").read_text())
    assert (board["task"], board["clips"], board["truth"]) == ("forecast", 12, "stored")
    assert list(board["rows"])[-4:] == ["true_family_reconstructed", "tokenizer", "samples_middle", "model"]
    model = board["rows"]["model"]
    for name in ("ade", "fde", "miss_2px", "visible", "object_psnr", "ade_samples", "min_ade_3", "energy_score"):
        assert model[name].keys() == {"value", "low", "high"}, name
    assert len(model["horizon"]) == 4
    parts = [model["budget"][name] for name in ("extractor", "tokenizer", "dynamics", "together")]
    assert sum(parts) == pytest.approx(model["budget"]["total"])
    beyond = json.loads((run / "scoreboards/ood_speed.json").read_text())["rows"]["model"]
    assert beyond["ood_over_id"] == pytest.approx(beyond["ade"]["value"] / model["ade"]["value"])
    for name in ("horizon-test.png", "fans-test.png", "fans-ood_speed.png"):
        with Image.open(run / "media" / name) as picture:
            assert min(picture.size) > 200
    seen = read_back(run / "wandb")["history"]
    for split in ("test", "ood_speed"):
        assert seen[f"{split}/horizon_table/_type"] == ["table-file"]
        assert seen[f"media/fans_{split}/_type"] == ["images/separated"]

    assert main(["predict", *common]) == 0
    with h5py.File(run / "predictions.h5") as file:
        made, index = file["video"][:], file["index"][:]
    truth = Clips(dataset, "test").batch(index.tolist())["video"].numpy()
    assert made.shape == truth.shape
    np.testing.assert_array_equal(made[:, :4], truth[:, :4])
    with Image.open(run / "predictions.gif") as gif:
        assert gif.n_frames == 8  # type: ignore[attr-defined]
    again = score_forecasts(run / "predictions.h5", Clips(dataset, "test"), 4)["rows"]["model"]
    assert again["ade"]["value"] == pytest.approx(model["ade"]["value"], abs=1e-6)
    assert "in motion, beside the truth" in capsys.readouterr().out


@pytest.mark.parametrize("parallel", [False, True])
def test_noise_in_the_future_changes_nothing_bit_for_bit(task: Forecast, dataset: Path, parallel: bool) -> None:
    if parallel:
        network = Forecaster(parallel=True, width=16, background_width=8, background_depth=1, predictor_width=16)
        assert task.layout is not None
        network.build(task.layout)
        task.network = network.eval()
    clips = Clips(dataset, "test")
    video = clips.batch(list(range(6)))["video"].transpose(1, 2).float() / 255
    other = video.clone()
    other[:, :, 4:] = torch.rand_like(other[:, :, 4:])
    index = torch.arange(6)
    for how in (GREEDY, Sampling()):
        answers = []
        for given in (video, other):
            context = task._context(given)
            answers.append((context, *task(context, index, how, 1)))
        for first, second in zip(*answers, strict=True):
            assert torch.equal(first, second)
    assert not torch.equal(task.tokenizer.encode(video), task.tokenizer.encode(other))  # the test can fail


def test_a_clip_goes_on_alike_whatever_is_beside_it_and_otherwise_with_another_number(
    task: Forecast, dataset: Path
) -> None:
    video = Clips(dataset, "test").batch(list(range(6)))["video"].transpose(1, 2).float() / 255
    context = task._context(video)
    _, together = task(context, torch.arange(6), Sampling(), 1)
    _, alone = task(context[4:5], torch.tensor([4]), Sampling(), 1)
    assert torch.equal(together[4:5], alone)
    _, other = task(context, torch.arange(6), Sampling(), 2)
    assert not torch.equal(together, other)
    assert len({seed_of(clip, draw) for clip in range(50) for draw in range(21)}) == 50 * 21


def test_clips_go_on_beyond_their_length_and_the_equation_says_where(
    train: Train, common: list[str], here: Path, dataset: Path
) -> None:
    assert train("--run=a") == 0
    longer = [word for word in common if "context" not in word and "horizon" not in word]
    longer += ["--model.context=8", "--model.horizon=12", "--model.samples=0"]
    assert main(["test", *longer]) == 0
    model = json.loads((here / "runs/forecast/a/scoreboards/test.json").read_text())["rows"]["model"]
    assert len(model["horizon"]) == 12
    assert 0 < model["ade"]["value"] <= 32
    assert "budget" not in model
    assert main(["predict", *longer]) == 0
    with h5py.File(here / "runs/forecast/a/predictions.h5") as file:
        assert file["video"].shape == (12, 20, 3, 32, 32)


@pytest.mark.parametrize("mode", ["ahead=false", "parallel=true"])
def test_stopped_and_continued_is_the_same_to_the_bit_in_every_mode(
    train: Train, here: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    step = Forecast.training_step

    def broken(self: Forecast, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        if self.global_step == 3:
            raise RuntimeError("the machine is gone")
        return step(self, batch, batch_idx)

    extra = [f"--model.network.{mode}", "--model.val_clips=2"]
    assert train("--run=whole", *extra) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Forecast, "training_step", broken)
        with pytest.raises(RuntimeError, match="the machine is gone"):
            train("--run=halves", *extra)
    assert train("--run=halves", *extra) == 0
    whole, halves = (
        torch.load(here / f"runs/forecast/{name}/checkpoints/last.ckpt", weights_only=True)
        for name in ("whole", "halves")
    )
    for name, value in whole["state_dict"].items():
        assert torch.equal(halves["state_dict"][name], value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--model.context=5"], "model.context is 5; a token covers 4 frames, give a multiple"),
        (["--model.horizon=0"], "model.horizon is 0; a token covers 4 frames"),
        (["--model.horizon=8"], "have 8 frames; model.context and model.horizon ask for 4 and 8 more"),
        (["--data.tracks=false"], "set data.tracks and data.cache_tokens to true"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    train: Train, capsys: pytest.CaptureFixture[str], wrong: list[str], said: str
) -> None:
    assert train(*wrong) == 2
    found = capsys.readouterr().err
    assert said in found
    assert found.count("\n") == 1


def test_clips_without_truth_are_forecast_and_scored_by_what_is_seen_in_them(
    common: list[str], here: Path, dataset: Path
) -> None:
    video = np.concatenate([Clips(dataset, split).batch(list(range(12)))["video"] for split in ("train", "test")])
    np.savez("plain.npz", videos=np.tile(video, (2, 1, 1, 1, 1)))
    assert main(["data", "import-videos", "plain.npz", "--out", "plain"]) == 0
    words = [word for word in common if not word.startswith("--data.path")]
    words += ["--data.path=plain", "--run=p"]
    assert main(["fit", *words, *SHORT, "--trainer.logger=false"]) == 0
    assert main(["test", *words]) == 0
    board: dict[str, Any] = json.loads((here / "runs/forecast/p/scoreboards/test.json").read_text())
    assert board["truth"] == "tracked"
    assert not any(name.startswith("true_family") for name in board["rows"])
    assert "best_family_tracked" in board["rows"]
