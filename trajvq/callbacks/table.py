"""PredictionTable: write what a classifier answers as CSV."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor


class PredictionTable(BasePredictionWriter):
    """Writes ``predictions.csv`` into the run folder: a line a clip, with its true class if known.

    Columns are ``clip``, ``label``, ``answer`` and the probability of each class, under its name. With several
    processes each writes a file of its own, ``predictions-RANK.csv``.

    Args:
        run: The run folder.
    """

    def __init__(self, run: Path) -> None:
        super().__init__(write_interval="batch")
        self.run = run

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        suffix = f"-{trainer.global_rank}" if trainer.world_size > 1 else ""
        self.path = self.run / f"predictions{suffix}.csv"
        self.run.mkdir(parents=True, exist_ok=True)  # of a checkpoint elsewhere there may be none
        self.file = self.path.open("w", newline="")
        self.writer = csv.writer(self.file)
        self.classes: list[str] = list(pl_module.classes)  # type: ignore[arg-type]
        self.writer.writerow(["clip", "label", "answer", *self.classes])

    def write_on_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        prediction: dict[str, Tensor],
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        found = {name: value.tolist() for name, value in prediction.items()}
        labels = [self.classes[k] for k in found["label"]] if "label" in found else [""] * len(found["index"])
        for clip, label, answer, share in zip(
            found["index"], labels, found["answer"], found["probability"], strict=True
        ):
            self.writer.writerow([clip, label, self.classes[answer], *(f"{value:.6f}" for value in share)])

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.file.close()
        print(f"predictions: {self.path}")
