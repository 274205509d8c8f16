"""An offline W&B run holds the data of every panel, read back from its file."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.wandb_file import read_back
from trajvq.callbacks import panels
from trajvq.data.storage.manifest import read_manifest
from trajvq.tokens import FrozenTokenizer


def test_an_offline_run_holds_every_panel(recon_run: Path, dataset: Path) -> None:
    content = read_back(recon_run / "wandb")
    history = content["history"]
    for name in ("train/loss", "train/mse", "val/skill", "val/mse", "val/visible", "codes/perplexity"):
        assert len(history[name]) >= 2, name
    assert history["codes/usage_all/_type"] == ["histogram"] * 2
    assert history["media/reconstruction/_type"] == ["images/separated"] * 2
    assert history["media/clips/_type"] == ["videos"] * 2
    for split in ("test", "ood_size"):
        assert history[f"{split}/scoreboard/_type"] == ["table-file"]
        assert history[f"{split}/scoreboard/nrows"] == [7]
        (table,) = (recon_run / "wandb").glob(f"offline-run-*/files/media/table/{split}/scoreboard_*.table.json")
        assert {"visible", "visible low", "visible high"} <= set(json.loads(table.read_text())["columns"])
        assert f"{split}/skill" in content["summary"]
    assert content["summary"]["val/skill"]["max"] == max(history["val/skill"])
    assert content["summary"]["val/mse"]["min"] == min(history["val/mse"])
    assert content["config"]["dataset"]["sha256"] == read_manifest(dataset).sha256
    assert content["config"]["model"]["class_path"] == "trajvq.tasks.Reconstruct"
    assert not any("gradients" in name for name in history)


def test_a_classifier_adds_confusion_and_its_tokenizer(classify_run: Path, tokenizer: Path) -> None:
    content = read_back(classify_run / "wandb")
    assert content["history"]["media/confusion_val/_type"] == ["images/separated"] * 2
    assert content["summary"]["val/accuracy"]["max"] == pytest.approx(max(content["history"]["val/accuracy"]))
    assert content["config"]["tokenizer"]["sha256"] == FrozenTokenizer(str(tokenizer)).sha256


def test_the_error_by_frame_leaves_out_frames_without_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: dict[str, Any] = {}
    logger = SimpleNamespace(experiment=SimpleNamespace(log=logged.update, summary={}))
    monkeypatch.setattr(panels, "wandb_loggers", lambda trainer: [logger])
    rows = {"blank": {"horizon": [32.0, None]}, "model": {"horizon": [0.5, None]}}
    task: Any = SimpleNamespace(scoreboards={"test": {"rows": rows}}, code_usage={})
    panels.WandbPanels().on_test_end(SimpleNamespace(), task)  # type: ignore[arg-type]
    assert logged["test/horizon"].table.data == [[1, "blank", 32.0], [1, "model", 0.5]]
