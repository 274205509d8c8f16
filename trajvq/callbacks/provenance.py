"""ProvenanceNote: record the command, the versions and the data of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import yaml

from trajvq.callbacks.datasets import dataset_of
from trajvq.callbacks.protocols import HasAdaptation, HasInitialWeights
from trajvq.runs.provenance import note_command
from trajvq.runs.wandb_runs import surviving, wandb_loggers
from trajvq.tokens.frozen import FrozenTokenizer


class ProvenanceNote(L.Callback):
    """Add the command to ``provenance.json`` in the run folder, and settings and hashes to the config of a W&B run.

    So is how a training adapted to its clips.

    Args:
        arguments: The command line after ``trajvq``.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = list(arguments)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        run, sources = Path(trainer.default_root_dir), _sources(trainer, pl_module)
        if isinstance(pl_module, HasAdaptation) and pl_module.adapted:
            sources["adapted"] = pl_module.adapted
        note_command(run, self.arguments, sources)
        settings = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        for logger in wandb_loggers(trainer):
            with surviving(logger):
                logger.experiment.config.update({**settings, **sources}, allow_val_change=True)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            run = Path(trainer.default_root_dir)
            run.mkdir(parents=True, exist_ok=True)
            note_command(run, self.arguments, _sources(trainer, pl_module))


def _sources(trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
    """Return path and SHA-256 of the dataset, the frozen tokenizer and the initial weights, where there are any."""
    dataset, tokenizer = dataset_of(trainer), getattr(pl_module, "tokenizer", None)
    sources: dict[str, Any] = {"dataset": dataset} if dataset else {}
    if isinstance(tokenizer, FrozenTokenizer):
        sources["tokenizer"] = tokenizer.identity() | {"skill": tokenizer.skill}
    if isinstance(pl_module, HasInitialWeights) and pl_module.initial_weights:
        sources["init_from"] = pl_module.initial_weights
    return sources
