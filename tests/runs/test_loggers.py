"""A run logs to CSV always, and to W&B unless that is disabled."""

from pathlib import Path

import pytest
from lightning.pytorch.loggers import WandbLogger

from trajvq.runs.loggers import WANDB_ID, AppendingCSVLogger, loggers, scoreboard_loggers


def test_wandb_can_be_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / WANDB_ID).write_text("0123456789ab")
    assert [type(logger) for logger in loggers(tmp_path, "recon")] == [AppendingCSVLogger]
    assert scoreboard_loggers(tmp_path, "recon") == []


def test_a_test_logs_to_wandb_if_its_training_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert scoreboard_loggers(tmp_path, "recon") == []
    (tmp_path / WANDB_ID).write_text("0123456789ab")
    assert [type(logger) for logger in scoreboard_loggers(tmp_path, "recon")] == [WandbLogger]
