"""What an offline W&B run holds: every panel's data, read back from the file."""

from pathlib import Path

import pytest

from tests.conftest import Run
from tests.wandb_file import read_back
from trajvq.cli import main
from trajvq.data.storage.shards import read_manifest
from trajvq.tokens import FrozenTokenizer


def test_an_offline_run_holds_every_panel(fit: Run, here: Path, dataset: Path) -> None:
    assert fit("--run=a", logger=True) == 0
    run = here / "runs/recon/a"
    common = ["--config=recon", f"--data.path={dataset}", "--model.tokenizer.width=16", "--run=a"]
    assert main(["test", *common, "--data.test_splits=[test,ood_size]"]) == 0
    found = read_back(run / "wandb")
    held = found["history"]
    for name in ("train/loss", "train/mse", "val/skill", "val/mse", "val/visible", "codes/perplexity"):
        assert len(held[name]) >= 2, name
    assert held["codes/usage_all/_type"] == ["histogram"] * 2
    assert held["media/reconstruction/_type"] == ["images/separated"] * 2
    assert held["media/clips/_type"] == ["videos"] * 2
    for split in ("test", "ood_size"):
        assert held[f"{split}/scoreboard/_type"] == ["table-file"]
        assert held[f"{split}/scoreboard/nrows"] == [5]
        assert f"{split}/skill" in found["summary"]
    assert found["summary"]["val/skill"]["max"] == max(held["val/skill"])
    assert found["summary"]["val/mse"]["min"] == min(held["val/mse"])
    assert found["config"]["dataset"]["sha256"] == read_manifest(dataset).sha256
    assert found["config"]["model"]["class_path"] == "trajvq.tasks.Reconstruct"
    assert not any("gradients" in name for name in held)


def test_a_classifier_adds_confusion_and_its_tokenizer(here: Path, dataset: Path, tokenizer: Path) -> None:
    common = ["--config=classify", f"--data.path={dataset}", f"--model.tokenizer_ckpt={tokenizer}"]
    small = ["--model.network.width=16", "--model.network.keep=4", "--model.network.hidden=32", "--data.batch_size=8"]
    short = ["--trainer.max_steps=2", "--trainer.val_check_interval=1", "--trainer.log_every_n_steps=1", "--run=c"]
    assert main(["fit", *common, *small, *short]) == 0
    found = read_back(here / "runs/classify/c/wandb")
    assert found["history"]["media/confusion_val/_type"] == ["images/separated"] * 2
    assert found["summary"]["val/accuracy"]["max"] == pytest.approx(max(found["history"]["val/accuracy"]))
    assert found["config"]["tokenizer"]["sha256"] == FrozenTokenizer(str(tokenizer)).sha256
