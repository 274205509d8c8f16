"""Sampling as a user drives it: a run, a scoreboard, and clips by class that are a dataset again."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.toy_runs import SHORT, copy_run, options
from tests.wandb_file import read_back
from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.metrics.scoreboard import value_of
from trajvq.tasks import Sample, sample_scoreboard
from trajvq.tasks.tracks import TrackTraining
from trajvq.tokens.sampling import load_generator, sample_clips


@pytest.fixture
def common(dataset: Path, tokenizer: Path, here: Path) -> list[str]:
    return options("sample", dataset, tokenizer)


@pytest.fixture
def trained(sample_run: Path) -> Path:
    """The checkpoint of a run of four steps."""
    return sample_run / "checkpoints/best.ckpt"


def test_a_run_leaves_checkpoints_and_pictures(sample_run: Path) -> None:
    rows = list(csv.DictReader((sample_run / "metrics.csv").open()))
    logged = {name: [float(row[name]) for row in rows if row[name]] for name in rows[0] if name.startswith("val/nll")}
    whole = np.sum([logged[f"val/nll_{part}"] for part in ("trajectory", "appearance", "object", "background")], axis=0)
    assert logged["val/nll"] == pytest.approx(whole, rel=1e-4)
    for name in ("samples", "closest-pairs"):
        assert Image.open(sample_run / f"media/{name}.png").width > 100
    history = read_back(sample_run / "wandb")["history"]
    assert history["media/samples/_type"] == history["media/closest-pairs/_type"] == ["images/separated"]


def test_scoreboards_hold_every_row_and_figure(sample_run: Path, dataset: Path) -> None:
    assert "NLL bits" in (sample_run.parents[2] / "output.txt").read_text()
    board = json.loads((sample_run / "scoreboards/test.json").read_text())
    assert (board["task"], board["clips"]) == ("sample", 24)
    assert board["classes"] == read_manifest(dataset).classes
    assert list(board["rows"]) == ["classes_rotated", "reconstructed", "copies", "model", "model_at_1"]
    sigma = board["judge"]["sigma"]
    assert sigma > 0
    assert board["remarks"][0] == (
        "model is sampled at temperature 0.1, top_p 1, noise_scale 0.5, guidance 1, with denoised tracks"
    )
    assert any(f"{sigma:.3f} px" in remark for remark in board["remarks"])
    assert any("its tokens do not hold what moves" in remark for remark in board["remarks"])  # it is not trained
    model, own = board["rows"]["model"], board["rows"]["model_at_1"]
    assert "nll_bits" not in model
    assert set(model["class_match_per_class"]) <= set(read_manifest(dataset).classes)
    for name in ("coverage", "density", "appearance_match", "gan_train", "gan_test", "class_match_at"):
        assert value_of(model[name]) >= 0, name
        assert value_of(own[name]) >= 0, name
    for name in ("bits", "bits_ideal", "clips_per_second"):
        assert 0 <= value_of(model[name]) <= max(model["bits"], value_of(model["clips_per_second"])), name
    assert model.get("description_bits", 0) >= 0  # absent where the tokenizer shows nothing to track
    for name in ("memorization_tokens", "nearer_tokens"):
        assert value_of(model[name]) >= 0, name
    unlike = not any("cannot be told from training clips" in remark for remark in board["remarks"])
    assert ("memorization_path" in model) == ("nearer_path" in model) == unlike  # it may show nothing to track
    outside = json.loads((sample_run / "scoreboards/ood_size.json").read_text())
    assert outside["judge"] == board["judge"]  # calibrated on val, whatever the split
    row = outside["rows"]["model_at_1"]
    assert row["ood_over_id"] == pytest.approx(row["nll_bits"] / own["nll_bits"])


def test_memorization_of_other_clips_than_trained_on_is_left_out(
    sample_run: Path, common: list[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_scoreboard, "GAN", TrackTraining(steps=10))
    run = copy_run(sample_run, here)
    assert main(["test", *common, "--data.train_clips=8"]) == 0
    board = json.loads((run / "scoreboards/test.json").read_text())
    assert any("trained on other clips than these" in remark for remark in board["remarks"])
    assert not [name for row in board["rows"].values() for name in row if name.startswith(("memorization", "nearer"))]


def test_a_test_that_lacks_a_split_says_so_before_it_samples(
    sample_run: Path, common: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_run(sample_run, here)
    assert main(["data", "generate", "--out=alone", "--train=0", "--val=0", "--test=8", "--ood=0"]) == 0
    assert main(["test", *common, "--data.path=alone"]) == 2
    assert "needs the split train, and alone has only test" in capsys.readouterr().err


def test_predict_points_to_the_command_that_samples(
    sample_run: Path, common: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_run(sample_run, here)
    assert main(["predict", *common]) == 2
    assert "use `trajvq sample`" in capsys.readouterr().err


def test_samples_are_a_dataset_that_trains(
    trained: Path, common: list[str], here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sample", "--ckpt_path", str(trained), "--out", "samples", "--num", "5", "--val", "2", "--test", "2"]
    assert main([*words, "--batch_size", "4", "--animation", "gif"]) == 0
    assert "checkpoint: " in capsys.readouterr().out
    manifest = read_manifest(here / "samples")
    assert manifest.classes == read_manifest(dataset).classes
    clips = Clips(here / "samples", "train")
    assert clips.shape == Clips(dataset, "train").shape
    assert torch.bincount(clips.columns["label"]).tolist() == [5] * 4
    animation = Image.open(here / "samples/samples.gif")
    assert getattr(animation, "n_frames", 1) > 1
    assert main(["data", "verify", "samples"]) == 0
    again = ["fit", *common, *SHORT, "--data.path=samples", "--run=b", "--trainer.logger=false"]
    assert main(again) == 0


def test_the_same_seed_gives_the_same_clips_whatever_else_is_requested(trained: Path, here: Path) -> None:
    words = ["sample", "--ckpt_path", str(trained), "--animation", "none"]
    for out, more in (
        ("a", ["--num", "6"]),
        ("b", ["--num", "6", "--batch_size", "7"]),
        ("c", ["--num", "2", "--label", "helical"]),
        ("d", ["--num", "2", "--label", "2", "--seed", "1"]),
    ):
        assert main([*words, "--out", out, *more]) == 0
    a, b, c, d = (Clips(here / name, "train") for name in "abcd")
    label = a.columns["label"]
    assert c.manifest.classes[2] == "helical"
    video = {
        name: clips.batch(list(range(len(clips))))["video"] for name, clips in zip("abcd", (a, b, c, d), strict=True)
    }
    assert torch.equal(video["a"], video["b"])
    assert torch.equal(video["c"], video["a"][label == 2][:2])
    assert not torch.equal(video["c"], video["d"])


def test_clips_of_any_class_have_no_label_and_longer_ones_are_reported(
    trained: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sample", "--ckpt_path", str(trained), "--label", "any", "--num", "3", "--out"]
    assert main([*words, "long", "--frames", "16"]) == 0
    assert "more than the 8 of training" in capsys.readouterr().out
    assert main([*words, "trained"]) == 0
    longer, whole = Clips(here / "long", "train"), Clips(here / "trained", "train")
    assert longer.shape == (16, 3, 32, 32)
    assert "label" not in whole.columns
    assert torch.equal(longer.batch([0, 1, 2])["video"][:, :8], whole.batch([0, 1, 2])["video"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--label", "square"], "there is no such class; known: linear"),
        (["--frames", "6"], "give a multiple of 4"),
        (["--num", "0"], "at least one clip"),
        (["--top_p", "0"], "top_p in (0, 1]"),
        (["--ckpt_path", "nowhere.ckpt"], "or use the package's weights by `--ckpt_path default`"),
    ],
)
def test_mistakes_are_one_line(
    more: list[str], message: str, trained: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", "--ckpt_path", str(trained), "--out", "samples", *more]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (here / "samples").exists()


def test_a_tokenizer_is_not_a_generator(tokenizer: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "--ckpt_path", str(tokenizer), "--out", "samples"]) == 2
    assert "no checkpoint of a generator" in capsys.readouterr().err


def test_a_forecaster_does_not_sample(forecast_run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(forecast_run / "checkpoints/best.ckpt")
    assert main(["sample", "--ckpt_path", path, "--out", "samples"]) == 2
    assert capsys.readouterr().err.endswith("is of a forecaster, which continues clips; use `trajvq predict`\n")


def test_a_generator_loads_as_it_was_saved(trained: Path) -> None:
    loaded = load_generator(trained)
    content: dict[str, Any] = torch.load(trained, weights_only=True)
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, content["state_dict"][f"network.{name}"])
    assert loaded.sampling.keys() == {"temperature", "top_p", "noise_scale", "guidance", "denoise"}
    task = Sample.load_from_checkpoint(trained, weights_only=True)
    task.eval()
    first, second = (next(iter(sample_clips(n, [1], 3))).tokens for n in (loaded.network, task.generator))
    assert torch.equal(first, second)


def test_without_a_trajectory_tokens_follow_in_raster_order(common: list[str], here: Path) -> None:
    words = [word for word in common if "trajectory" not in word and "appearance" not in word]
    alone = ["--model.network.trajectory=null", "--model.network.appearance=null"]
    alone += ["--data.tracks=false", "--data.eval_tracks=false"]
    assert main(["fit", *words, *SHORT, *alone, "--run=p", "--trainer.logger=false"]) == 0
    loaded = load_generator(here / "runs/sample/p/checkpoints/best.ckpt")
    samples = next(iter(sample_clips(loaded.network, [0, 1], 2)))
    assert samples.tracks is None
    assert samples.tokens.shape == (4, 2, 4, 4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("--data.tracks=false", "set data.tracks and data.eval_tracks to true"),
        ("--model.network.trajectory=TrajectoryPredictor", "TrajectoryPredictor has no density"),
    ],
)
def test_what_a_trajectory_needs_is_one_line(
    common: list[str], here: Path, capsys: pytest.CaptureFixture[str], wrong: str, message: str
) -> None:
    words = [word for word in common if "network.trajectory" not in word]
    assert main(["fit", *words, *SHORT, wrong, "--trainer.logger=false"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
