"""Sampling as a user drives it: a run, a scoreboard, and clips by class that are a dataset again."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.wandb_file import read_back
from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import read_manifest
from trajvq.metrics.scoreboard import value_of
from trajvq.tasks import Sample
from trajvq.tokens.sampling import load_generator, sample_clips

SMALL = [
    "--model.network.width=16",
    "--model.network.depth=1",
    "--model.network.heads=2",
    "--model.network.trajectory_width=16",
    "--model.network.trajectory_depth=1",
    "--model.network.mixtures=2",
    "--model.network.background_width=8",
    "--model.network.background_depth=1",
    "--model.samples=6",
    "--data.batch_size=8",
]
SHORT = ["--trainer.max_steps=6", "--trainer.val_check_interval=3", "--trainer.log_every_n_steps=1"]


@pytest.fixture
def common(dataset: Path, tokenizer: Path, here: Path) -> list[str]:
    return ["--config", "sample", f"--data.path={dataset}", f"--model.tokenizer_ckpt={tokenizer}", *SMALL]


@pytest.fixture(scope="module")
def trained(dataset: Path, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a run of six steps."""
    folder = tmp_path_factory.mktemp("sample")
    given = ["--config", "sample", f"--data.path={dataset}", f"--model.tokenizer_ckpt={tokenizer}", *SMALL, *SHORT]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["fit", *given, "--run=a", "--trainer.logger=false"]) == 0
    return folder / "runs/sample/a/checkpoints/best.ckpt"


def test_a_run_leaves_checkpoints_a_scoreboard_and_pictures(
    common: list[str], here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *common, *SHORT, "--run=a"]) == 0
    run = here / "runs/sample/a"
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    found = {name: [float(row[name]) for row in rows if row[name]] for name in rows[0] if name.startswith("val/nll")}
    whole = np.sum([found[f"val/nll_{part}"] for part in ("trajectory", "appearance", "object", "background")], axis=0)
    assert found["val/nll"] == pytest.approx(whole, rel=1e-4)
    assert main(["test", *common, "--data.test_splits=[ood_size,test]", "--model.total_steps=6"]) == 0
    board = json.loads((run / "scoreboards/test.json").read_text())
    assert (board["task"], board["clips"]) == ("sample", 24)
    assert list(board["rows"]) == ["classes_rotated", "reconstructed", "model"]
    model = board["rows"]["model"]
    assert set(model["class_match_per_class"]) <= set(read_manifest(dataset).classes)
    for name in ("coverage", "density", "train_on", "nll_bits", "bits", "clips_per_second"):
        assert value_of(model[name]) >= 0, name
    assert model.get("description_bits", 0) >= 0  # unknown where the tokenizer draws nothing that can be tracked
    for name in ("memorization_path", "nearer_path", "memorization_tokens", "nearer_tokens"):
        assert value_of(model[name]) >= 0, name
    beyond = json.loads((run / "scoreboards/ood_size.json").read_text())["rows"]["model"]
    assert beyond["ood_over_id"] == pytest.approx(beyond["nll_bits"] / model["nll_bits"])
    assert board["judge"]["sigma"] > 0
    for name in ("samples", "closest-pairs"):
        assert Image.open(run / f"media/{name}.png").width > 100
    seen = read_back(run / "wandb")["history"]
    assert seen["media/samples/_type"] == seen["media/closest-pairs/_type"] == ["images/separated"]
    assert "nll bits" in capsys.readouterr().out
    assert main(["predict", *common]) == 2
    assert "use `trajvq sample`" in capsys.readouterr().err


def test_samples_are_a_dataset_that_trains(
    trained: Path, common: list[str], here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["sample", "--ckpt_path", str(trained), "--out", "drawn", "--num", "5", "--val", "2", "--test", "2"]
    assert main([*asked, "--batch_size", "4", "--animation", "gif"]) == 0
    assert "checkpoint: " in capsys.readouterr().out
    manifest = read_manifest(here / "drawn")
    assert manifest.classes == read_manifest(dataset).classes
    clips = Clips(here / "drawn", "train")
    assert clips.shape == Clips(dataset, "train").shape
    assert torch.bincount(clips.columns["label"]).tolist() == [5] * 4
    animation = Image.open(here / "drawn/samples.gif")
    assert getattr(animation, "n_frames", 1) > 1
    assert main(["data", "verify", "drawn"]) == 0
    again = ["fit", *common, *SHORT, "--data.path=drawn", "--run=b", "--trainer.logger=false"]
    assert main(again) == 0


def test_the_same_seed_gives_the_same_clips_whatever_else_is_asked_for(trained: Path, here: Path) -> None:
    asked = ["sample", "--ckpt_path", str(trained), "--animation", "none"]
    for out, more in (
        ("a", ["--num", "6"]),
        ("b", ["--num", "6", "--batch_size", "7"]),
        ("c", ["--num", "2", "--label", "helical"]),
        ("d", ["--num", "2", "--label", "2", "--seed", "1"]),
    ):
        assert main([*asked, "--out", out, *more]) == 0
    a, b, c, d = (Clips(here / name, "train") for name in "abcd")
    label = a.columns["label"]
    assert c.manifest.classes[2] == "helical"
    video = {
        name: clips.batch(list(range(len(clips))))["video"] for name, clips in zip("abcd", (a, b, c, d), strict=True)
    }
    assert torch.equal(video["a"], video["b"])
    assert torch.equal(video["c"], video["a"][label == 2][:2])
    assert not torch.equal(video["c"], video["d"])


def test_clips_of_any_class_have_no_label_and_longer_ones_say_how(
    trained: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["sample", "--ckpt_path", str(trained), "--label", "any", "--num", "3", "--out"]
    assert main([*asked, "long", "--frames", "16"]) == 0
    assert "more than the 8 of training" in capsys.readouterr().out
    assert main([*asked, "trained"]) == 0
    longer, usual = Clips(here / "long", "train"), Clips(here / "trained", "train")
    assert longer.shape == (16, 3, 32, 32)
    assert "label" not in usual.columns
    assert torch.equal(longer.batch([0, 1, 2])["video"][:, :8], usual.batch([0, 1, 2])["video"])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--label", "square"], "there is no such class; known: linear"),
        (["--frames", "6"], "give a multiple of 4"),
        (["--num", "0"], "at least one clip"),
        (["--top_p", "0"], "top_p is in (0, 1]"),
        (["--ckpt_path", "nowhere.ckpt"], "there is no checkpoint nowhere.ckpt"),
    ],
)
def test_mistakes_are_one_line(
    more: list[str], said: str, trained: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", "--ckpt_path", str(trained), "--out", "drawn", *more]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (here / "drawn").exists()


def test_a_tokenizer_is_no_generator(tokenizer: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "--ckpt_path", str(tokenizer), "--out", "drawn"]) == 2
    assert "no checkpoint of a generator" in capsys.readouterr().err


def test_a_generator_loads_as_it_was_saved(trained: Path) -> None:
    made = load_generator(trained)
    content: dict[str, Any] = torch.load(trained, weights_only=True)
    for name, value in made.network.state_dict().items():
        assert torch.equal(value, content["state_dict"][f"network.{name}"])
    assert made.sampling.keys() == {"temperature", "top_p", "noise_scale", "guidance"}
    task = Sample.load_from_checkpoint(trained, weights_only=True)
    task.eval()
    first, second = (next(iter(sample_clips(n, [1], 3))).tokens for n in (made.network, task.generator))
    assert torch.equal(first, second)


def test_without_a_plan_tokens_are_told_in_raster_order(common: list[str], here: Path) -> None:
    plain = ["--model.network.plan=false", "--data.tracks=false", "--data.eval_tracks=false"]
    assert main(["fit", *common, *SHORT, *plain, "--run=p", "--trainer.logger=false"]) == 0
    made = load_generator(here / "runs/sample/p/checkpoints/best.ckpt")
    drawn = next(iter(sample_clips(made.network, [0, 1], 2)))
    assert drawn.path is None
    assert drawn.tokens.shape == (4, 2, 4, 4)


def test_a_plan_without_places_is_one_line(common: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *common, *SHORT, "--data.tracks=false", "--trainer.logger=false"]) == 2
    assert "set data.tracks" in capsys.readouterr().err
