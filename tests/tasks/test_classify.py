"""Classification as a user drives it: frozen means frozen, runs continue exactly, and nothing is learnt from noise."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch

from tests.conftest import save_tokenizer
from tests.interruptions import interrupt_at
from tests.toy_runs import EXTRA, SHORT, copy_run, options
from trajvq.augment import ClipSymmetries
from trajvq.callbacks import LastCheckpoint
from trajvq.cli import main
from trajvq.data.storage.manifest import Manifest, read_manifest
from trajvq.data.storage.shards import shard_name
from trajvq.data.storage.splits import write_split
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD
from trajvq.data.synthetic.scene import make_clips
from trajvq.models import CausalTokenizer, TokenClassifier, TokenLayout
from trajvq.tasks import Classify
from trajvq.tokens import FrozenTokenizer
from trajvq.tokens.datamodule import TokenDataModule

SPLITS = ("test", "ood_size")
Train = Callable[..., int]


@pytest.fixture
def common(dataset: Path, tokenizer: Path, here: Path) -> list[str]:
    return options("classify", dataset, tokenizer)


@pytest.fixture
def train(common: list[str]) -> Train:
    def run(*extra: str) -> int:
        return main(["fit", *common, *SHORT, "--trainer.logger=false", *extra])

    return run


@pytest.fixture
def finished(classify_run: Path, here: Path) -> Path:
    return copy_run(classify_run, here)


def checkpoint(here: Path, run: str, name: str = "last") -> dict[str, Any]:
    content: dict[str, Any] = torch.load(here / f"runs/classify/{run}/checkpoints/{name}.ckpt", weights_only=True)
    return content


def test_a_run_leaves_checkpoints_and_pictures(classify_run: Path, dataset: Path) -> None:
    assert (classify_run.parent / "latest").resolve() == classify_run
    rows = list(csv.DictReader((classify_run / "metrics.csv").open()))
    for name in ("train/loss", "train/accuracy", "val/accuracy", "val/loss"):
        assert any(row[name] for row in rows), name
    assert (classify_run / "media/confusion-val-step000004.png").is_file()
    task = Classify.load_from_checkpoint(classify_run / "checkpoints/best.ckpt", weights_only=True)
    assert task.classes == read_manifest(dataset).classes


def test_scoreboards_hold_every_row_and_figure(classify_run: Path, dataset: Path) -> None:
    board, outside = (json.loads((classify_run / f"scoreboards/{name}.json").read_text()) for name in SPLITS)
    assert "true_path" in (classify_run.parents[2] / "output.txt").read_text()
    assert (board["task"], board["clips"]) == ("classify", 12)
    assert board["classes"] == read_manifest(dataset).classes
    names = ["majority", "pixel_probe", "nearest_pixels", "judge_true", "judge_tracked", "true_path", "model"]
    assert list(board["rows"]) == names
    for row in board["rows"].values():
        assert row["accuracy"].keys() == {"value", "low", "high"}
        assert list(row["per_class"]) == read_manifest(dataset).classes
        assert np.array(row["confusion"]).sum() == 12
    assert 0 <= board["rows"]["model"]["ece"] <= 1
    assert outside["clips"] == 4
    accuracy = [content["rows"]["model"]["accuracy"]["value"] for content in (board, outside)]
    if accuracy[0]:
        assert outside["rows"]["model"]["ood_over_id"] == pytest.approx(accuracy[1] / accuracy[0])


def test_the_table_of_predictions_is_what_the_scoreboard_scored(
    finished: Path, common: list[str], dataset: Path
) -> None:
    classes = read_manifest(dataset).classes
    assert main(["predict", *common]) == 0
    table = list(csv.DictReader((finished / "predictions.csv").open()))
    assert [int(line["clip"]) for line in table] == list(range(12))
    probabilities = np.array([[float(line[name]) for name in classes] for line in table])
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert [line["answer"] for line in table] == [classes[k] for k in probabilities.argmax(axis=1)]
    right = sum(line["answer"] == line["label"] for line in table)
    board = json.loads((finished / "scoreboards/test.json").read_text())
    assert board["rows"]["model"]["accuracy"]["value"] == pytest.approx(right / 12)


def test_a_split_of_one_clip_is_tested(finished: Path, common: list[str]) -> None:
    sizes = {"train": 8, "val": 1, "test": 1, **dict.fromkeys(OOD, 0)}
    generate(Path("few"), sizes, frames=8, size=32)
    assert main(["test", *common, "--data.path=few", "--model.total_steps=1", "--data.test_splits=[val,test]"]) == 0
    for split in ("val", "test"):
        rows = json.loads((finished / f"scoreboards/few/{split}.json").read_text())["rows"]
        assert {"true_path", "model"} < set(rows)
        assert all(row["accuracy"]["value"] in (0, 1) for row in rows.values())


def test_a_split_without_an_identifiable_clip_says_so(finished: Path, common: list[str]) -> None:
    sizes = {"train": 8, "val": 8, "test": 8, **dict.fromkeys(OOD, 0)}
    generate(Path("alike"), sizes, frames=8, size=32)
    clips = make_clips(0, "test", 0, 8, 8, 32)
    clips["identifiable"][:] = False
    manifest = read_manifest(Path("alike"))
    fresh = Manifest(**{**manifest.__dict__, "splits": {k: v for k, v in manifest.splits.items() if k != "test"}})
    Path("alike", shard_name("test", 0)).unlink()
    write_split(Path("alike"), fresh, "test", ({name: c[k] for name, c in clips.items()} for k in range(8)))
    fresh.write(Path("alike"))
    assert main(["test", *common, "--data.path=alike", "--model.total_steps=1", "--data.test_splits=[val,test]"]) == 0
    for split, remarks in (("val", 0), ("test", 1)):
        board = json.loads((finished / f"scoreboards/alike/{split}.json").read_text())
        assert sum("accuracy_identifiable is left out" in remark for remark in board["remarks"]) == remarks
        assert all(("accuracy_identifiable" in row) == (remarks == 0) for row in board["rows"].values())


def test_the_tokenizer_is_the_same_after_training_and_in_no_checkpoint(
    dataset: Path, tokenizer: Path, here: Path
) -> None:
    task = Classify(str(tokenizer), TokenClassifier(width=16, depth=1, keep=4, hidden=32), total_steps=4)
    data = TokenDataModule(
        dataset, batch_size=4, cache_tokens=False, augment=ClipSymmetries(["rows", "reverse", "colors"])
    )
    before = task.tokenizer.fingerprint()
    average = L.pytorch.callbacks.EMAWeightAveraging(decay=0.9)
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = L.Trainer(
        max_steps=4, accelerator="cpu", callbacks=[average, LastCheckpoint()], default_root_dir=here, **quiet
    )
    trainer.fit(task, data)
    task.train()
    assert task.tokenizer.fingerprint() == before
    assert not task.tokenizer.network.training
    own = {id(weight) for weight in task.parameters()}
    assert not any(id(weight) in own for weight in task.tokenizer.network.parameters())
    content = torch.load(here / "checkpoints/last.ckpt", weights_only=True)
    assert all(name.startswith("network.") for name in content["state_dict"])
    assert content["tokenizer"]["sha256"] == task.tokenizer.sha256
    again = Classify.load_from_checkpoint(
        here / "checkpoints/last.ckpt",
        weights_only=True,
        network=TokenClassifier(width=16, depth=1, keep=4, hidden=32),
    )
    assert again.classes == read_manifest(dataset).classes
    for name, value in again.state_dict().items():
        assert torch.equal(value, content["state_dict"][name])


@pytest.mark.usefixtures("finished")
def test_another_tokenizer_is_refused_in_one_line_that_names_both(
    common: list[str], here: Path, tokenizer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(9)
    save_tokenizer(CausalTokenizer(width=16), here / "other.ckpt", 0.9)
    assert main(["test", *common, "--model.tokenizer_ckpt=other.ckpt"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for path in (tokenizer, here / "other.ckpt"):
        assert FrozenTokenizer(str(path)).sha256[:12] in error
    assert f"trained on the tokenizer {tokenizer}" in error


def test_stopped_and_resumed_without_cached_tokens_is_the_same_to_the_bit(train: Train, here: Path) -> None:
    extra = ["--data.cache_tokens=false", "--data.tracks=false"]
    extra += ["--model.network.dropout=0.1", "--model.network.depth=1"]
    assert train("--run=whole", *extra) == 0
    with pytest.raises(RuntimeError, match="broken"):
        train("--run=halves", *extra, *interrupt_at("step", 3, "raise"))
    assert checkpoint(here, "halves")["global_step"] == 3
    assert train("--run=halves", *extra) == 0
    whole, halves = checkpoint(here, "whole"), checkpoint(here, "halves")
    for part in ("state_dict", "current_model_state"):
        assert all(torch.equal(halves[part][name], value) for name, value in whole[part].items())


@pytest.mark.usefixtures("finished")
def test_the_same_seed_gives_the_same_weights_with_and_without_cached_tokens(
    train: Train, here: Path, classify_run: Path
) -> None:
    cache = classify_run.parents[1] / "tokens"
    assert cache.exists()
    shutil.copytree(cache, here / "runs/tokens")
    assert train("--run=b", *EXTRA["classify"]) == 0
    assert train("--run=c", *EXTRA["classify"], "--seed_everything=1") == 0
    a, b, c = (checkpoint(here, run)["state_dict"] for run in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)


@pytest.mark.parametrize("labels", ["true", "random"])
def test_a_classifier_learns_from_true_labels_and_not_from_random_ones(labels: str) -> None:
    torch.manual_seed(0)
    tokens = torch.full((600, 2, 4, 4), 500)
    cell, label = torch.randint(16, (600,)), torch.randint(4, (600,))
    tokens.flatten(2)[torch.arange(600), 0, cell] = 100 + 8 * 25 * label + torch.randint(3, (600,))
    target = label if labels == "true" else torch.randint(4, (600,))
    network = TokenClassifier(width=16, depth=1, keep=4, hidden=32, layers=1)
    network.build(TokenLayout(1000, (8, 5, 5, 5), (2, 4, 4), 4), 4)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(60):
        rows = torch.randint(400, (32,))
        loss = torch.nn.functional.cross_entropy(network(tokens[rows]), target[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        accuracy = float((network(tokens[400:]).argmax(dim=1) == label[400:]).float().mean())
    assert accuracy > 0.9 if labels == "true" else 0.1 < accuracy < 0.4  # 0.25, within 4 standard deviations


def test_a_linear_probe_by_config_trains(common: list[str], here: Path) -> None:
    words = [word for word in common if "network" not in word]
    short = [*SHORT, "--trainer.logger=false", "--data.tracks=false", "--run=p"]
    assert main(["fit", *words, "--model.network=LinearProbe", *short]) == 0
    assert set(checkpoint(here, "p")["state_dict"]) == {"network.linear.weight", "network.linear.bias"}


@pytest.mark.usefixtures("finished")
def test_data_without_classes_and_with_others_are_one_line(
    train: Train, common: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    videos = np.random.default_rng(0).integers(0, 255, (40, 8, 3, 32, 32), np.uint8)
    np.savez("plain.npz", videos=videos)
    assert main(["data", "import-videos", "plain.npz", "--out", "plain"]) == 0
    assert train("--data.path=plain") == 2
    assert "there is nothing to classify: the dataset has 0 classes" in capsys.readouterr().err
    np.savez("two.npz", videos=videos, labels=np.arange(40) % 2)
    assert main(["data", "import-videos", "two.npz", "--out", "two"]) == 0
    capsys.readouterr()
    assert main(["test", *common, "--data.path=two"]) == 2
    assert "the network was trained on linear, circular" in capsys.readouterr().err


def test_clips_without_labels_are_predicted_with_the_classes_of_the_checkpoint(
    finished: Path, common: list[str], dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = np.random.default_rng(0).integers(0, 255, (40, 8, 3, 32, 32), np.uint8)
    np.savez("plain.npz", videos=videos)
    assert main(["data", "import-videos", "plain.npz", "--out", "plain"]) == 0
    assert main(["predict", *common, "--data.path=plain"]) == 0
    header, *table = csv.reader((finished / "predictions.csv").open())
    assert header == ["clip", "label", "answer", *read_manifest(dataset).classes]
    assert len(table) == read_manifest(Path("plain")).clips("test")
    assert all(line[1] == "" and line[2] in header[3:] for line in table)
    capsys.readouterr()
    assert main(["test", *common, "--data.path=plain"]) == 2
    assert "there is nothing to classify" in capsys.readouterr().err
    np.savez("two.npz", videos=videos, labels=np.arange(40) % 2)
    assert main(["data", "import-videos", "two.npz", "--out", "two"]) == 0
    capsys.readouterr()
    assert main(["predict", *common, "--data.path=two"]) == 2  # these labels are not its classes
    assert "the network was trained on linear, circular" in capsys.readouterr().err
