"""ProvenanceNote: the command, the versions and the data behind a run, in its folder and in W&B."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import yaml
from lightning.pytorch.loggers import WandbLogger

from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.runs.provenance import note_command
from trajvq.tokens.frozen import FrozenTokenizer


class ProvenanceNote(L.Callback):
    """Adds the command to ``provenance.json`` of the run, and in W&B all settings and hashes to the run's config.

    Args:
        run: The run folder.
        arguments: Of the command line.
    """

    def __init__(self, run: Path, arguments: Sequence[str]) -> None:
        self.run, self.arguments = run, list(arguments)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        about = _about(trainer, pl_module)
        note_command(self.run, self.arguments, about)
        settings = yaml.safe_load((self.run / "config.yaml").read_text())
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.config.update({**settings, **about}, allow_val_change=True)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            self.run.mkdir(parents=True, exist_ok=True)
            note_command(self.run, self.arguments, _about(trainer, pl_module))


def _about(trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
    """Return path and SHA-256 of the dataset and of the frozen tokenizer, where there are such."""
    data, tokenizer = trainer.datamodule, getattr(pl_module, "tokenizer", None)  # type: ignore[attr-defined]
    found: dict[str, Any] = {}
    if isinstance(data, TrajectoryDataModule):
        found["dataset"] = {"path": str(data.url or data.path), "sha256": data.manifest.sha256}
    if isinstance(tokenizer, FrozenTokenizer):
        found["tokenizer"] = tokenizer.identity() | {"skill": tokenizer.skill}
    return found
