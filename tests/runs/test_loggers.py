"""A run logs to CSV always, and to W&B unless that is disabled or another logger is chosen."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import Run
from trajvq.runs.loggers import AppendingCSVLogger, loggers, scoreboard_loggers
from trajvq.runs.wandb_runs import WANDB_ID, Wandb


def test_wandb_can_be_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / WANDB_ID).write_text("0123456789ab")
    assert [type(logger) for logger in loggers(tmp_path, "recon")] == [AppendingCSVLogger]
    assert scoreboard_loggers(tmp_path, "recon") == []


def test_a_test_logs_to_wandb_if_its_training_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert scoreboard_loggers(tmp_path, "recon") == []
    (tmp_path / WANDB_ID).write_text("0123456789ab")
    assert [type(logger) for logger in scoreboard_loggers(tmp_path, "recon")] == [Wandb]


@pytest.mark.skipif(
    not (find_spec("tensorboard") or find_spec("tensorboardX")), reason="needs tensorboard or tensorboardX"
)
def test_tensorboard_takes_one_option(fit: Run, here: Path) -> None:
    assert fit("--run=a", "--trainer.logger=TensorBoard", logger=True) == 0
    run = here / "runs/recon/a"
    (events,) = (run / "tensorboard").glob("events.*")
    for name in (b"train/loss", b"val/skill", b"media/reconstruction"):
        assert name in events.read_bytes()
    assert "val/skill" in (run / "metrics.csv").read_text()  # the figures of every run
    assert not (run / "wandb").exists()
