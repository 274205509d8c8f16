"""Classification as a user drives it: frozen means frozen, runs continue exactly, and nothing is learnt from noise."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch

from tests.conftest import save_tokenizer
from trajvq.augment import ClipSymmetries
from trajvq.callbacks import LastCheckpoint
from trajvq.cli import main
from trajvq.data.storage.shards import read_manifest
from trajvq.models import CausalTokenizer, TokenClassifier, TokenLayout
from trajvq.tasks import Classify
from trajvq.tokens import FrozenTokenizer
from trajvq.tokens.datamodule import TokenDataModule

SMALL = [
    "--model.network.width=16",
    "--model.network.keep=4",
    "--model.network.hidden=32",
    "--data.batch_size=8",
]
SHORT = ["--trainer.max_steps=6", "--trainer.val_check_interval=3", "--trainer.log_every_n_steps=1"]
Train = Callable[..., int]


@pytest.fixture
def common(dataset: Path, tokenizer: Path, here: Path) -> list[str]:
    return ["--config", "classify", f"--data.path={dataset}", f"--model.tokenizer_ckpt={tokenizer}", *SMALL]


@pytest.fixture
def train(common: list[str]) -> Train:
    def run(*extra: str, logger: bool = False) -> int:
        return main(["fit", *common, *SHORT, *([] if logger else ["--trainer.logger=false"]), *extra])

    return run


def state(here: Path, run: str, file: str = "last") -> dict[str, Any]:
    found: dict[str, Any] = torch.load(here / f"runs/classify/{run}/checkpoints/{file}.ckpt", weights_only=True)
    return found


def test_a_run_leaves_checkpoints_pictures_a_scoreboard_and_a_table(
    train: Train, common: list[str], here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--run=a", "--data.versions=2", logger=True) == 0
    run = here / "runs/classify/a"
    assert (here / "runs/classify/latest").resolve() == run
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    for name in ("train/loss", "train/accuracy", "val/accuracy", "val/loss"):
        assert any(row[name] for row in rows), name
    assert (run / "media/confusion-val-step000006.png").is_file()
    again = Classify.load_from_checkpoint(run / "checkpoints/best.ckpt", weights_only=True)
    assert again.classes == read_manifest(dataset).classes
    assert main(["test", *common, "--data.test_splits=[ood_size,test]", "--model.total_steps=6"]) == 0
    board = json.loads((run / "scoreboards/test.json").read_text())
    classes = read_manifest(dataset).classes
    assert (board["task"], board["clips"]) == ("classify", 12)
    names = ["majority", "pixel_probe", "nearest_pixels", "judge_true", "judge_tracked", "true_path", "model"]
    assert list(board["rows"]) == names
    for row in board["rows"].values():
        assert row["accuracy"].keys() == {"value", "low", "high"}
        assert list(row["per_class"]) == classes
        assert np.array(row["confusion"]).sum() == 12
    assert 0 <= board["rows"]["model"]["ece"] <= 1
    beyond = json.loads((run / "scoreboards/ood_size.json").read_text())
    assert beyond["clips"] == 4
    accuracy = [one["rows"]["model"]["accuracy"]["value"] for one in (board, beyond)]
    if accuracy[0]:
        assert beyond["rows"]["model"]["ood_over_id"] == pytest.approx(accuracy[1] / accuracy[0])
    assert "true_path" in capsys.readouterr().out

    assert main(["predict", *common]) == 0
    table = list(csv.DictReader((run / "predictions.csv").open()))
    assert [int(line["clip"]) for line in table] == list(range(12))
    share = np.array([[float(line[name]) for name in classes] for line in table])
    assert share.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert [line["answer"] for line in table] == [classes[k] for k in share.argmax(axis=1)]
    right = sum(line["answer"] == line["label"] for line in table)
    assert board["rows"]["model"]["accuracy"]["value"] == pytest.approx(right / 12)


def test_the_tokenizer_is_the_same_after_training_and_in_no_checkpoint(
    dataset: Path, tokenizer: Path, here: Path
) -> None:
    task = Classify(str(tokenizer), TokenClassifier(width=16, depth=1, keep=4, hidden=32), total_steps=4)
    data = TokenDataModule(dataset, batch_size=4, cache_tokens=False, augment=ClipSymmetries())
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


def test_another_tokenizer_is_refused_in_one_line_that_says_which(
    train: Train, common: list[str], here: Path, tokenizer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--run=a") == 0
    torch.manual_seed(9)
    save_tokenizer(CausalTokenizer(width=16), here / "other.ckpt", 0.9)
    capsys.readouterr()
    assert main(["test", *common, "--model.tokenizer_ckpt=other.ckpt"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    for path in (tokenizer, here / "other.ckpt"):
        assert FrozenTokenizer(str(path)).sha256[:12] in said
    assert f"trained on the tokenizer {tokenizer}" in said


def test_stopped_and_continued_is_the_same_to_the_bit(
    train: Train, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Classify.training_step

    def broken(self: Classify, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        if self.global_step == 4:
            raise RuntimeError("the machine is gone")
        return step(self, batch, batch_idx)

    for cached in ("true", "false"):
        extra = ["--data.versions=2", f"--data.cache_tokens={cached}", f"--data.tracks={cached}"]
        extra += ["--model.network.dropout=0.1", "--model.network.depth=1"]
        assert train(f"--run=whole-{cached}", *extra) == 0
        with monkeypatch.context() as patch:
            patch.setattr(Classify, "training_step", broken)
            with pytest.raises(RuntimeError, match="the machine is gone"):
                train(f"--run=halves-{cached}", *extra)
        assert state(here, f"halves-{cached}")["global_step"] == 4
        assert train(f"--run=halves-{cached}", *extra) == 0
        whole, halves = (state(here, f"{name}-{cached}") for name in ("whole", "halves"))
        for part in ("state_dict", "current_model_state"):
            assert all(torch.equal(halves[part][name], value) for name, value in whole[part].items())


def test_the_same_seed_gives_the_same_weights_whether_or_not_tokens_are_there(train: Train, here: Path) -> None:
    assert train("--run=a") == 0
    assert (here / "runs/tokens").exists()
    assert train("--run=b") == 0
    assert train("--run=c", "--seed_everything=1") == 0
    a, b, c = (state(here, run)["state_dict"] for run in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)


def test_from_random_labels_nothing_is_learnt_and_from_true_ones_something_is() -> None:
    torch.manual_seed(0)
    accuracy = {}
    for kind in ("true", "random"):
        tokens = torch.full((600, 2, 4, 4), 500)
        place, label = torch.randint(16, (600,)), torch.randint(4, (600,))
        tokens.flatten(2)[torch.arange(600), 0, place] = 100 + 8 * 25 * label + torch.randint(3, (600,))
        given = label if kind == "true" else torch.randint(4, (600,))
        network = TokenClassifier(width=16, depth=1, keep=4, hidden=32, layers=1)
        network.build(TokenLayout(1000, (8, 5, 5, 5), (2, 4, 4), 4), 4)
        optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
        for _ in range(60):
            rows = torch.randint(400, (32,))
            loss = torch.nn.functional.cross_entropy(network(tokens[rows]), given[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            accuracy[kind] = float((network(tokens[400:]).argmax(dim=1) == label[400:]).float().mean())
    assert accuracy["true"] > 0.9
    assert 0.1 < accuracy["random"] < 0.4  # four standard deviations around a quarter


def test_a_linear_probe_by_config_trains(common: list[str], here: Path) -> None:
    given = [word for word in common if "network" not in word]
    short = [*SHORT, "--trainer.logger=false", "--data.tracks=false", "--run=p"]
    assert main(["fit", *given, "--model.network=LinearProbe", *short]) == 0
    assert set(state(here, "p")["state_dict"]) == {"network.linear.weight", "network.linear.bias"}


def test_data_without_classes_and_with_others_are_one_line(
    train: Train, common: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("plain.npz", videos=np.zeros((40, 8, 3, 32, 32), np.uint8))
    assert main(["data", "import-videos", "plain.npz", "--out", "plain"]) == 0
    assert train("--data.path=plain") == 2
    assert "there is nothing to classify: the dataset has 0 classes" in capsys.readouterr().err
    assert train("--run=a") == 0
    np.savez("two.npz", videos=np.zeros((40, 8, 3, 32, 32), np.uint8), labels=np.arange(40) % 2)
    assert main(["data", "import-videos", "two.npz", "--out", "two"]) == 0
    capsys.readouterr()
    assert main(["test", *common, "--data.path=two"]) == 2
    assert "the checkpoint was trained on (2, 4, 4) tokens and the classes linear" in capsys.readouterr().err
