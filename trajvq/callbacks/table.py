"""PredictionTable: write the predictions of a classifier as CSV."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from trajvq.callbacks.protocols import HasClasses
from trajvq.errors import UserError


class PredictionTable(BasePredictionWriter):
    """Write one line per clip to ``predictions.csv`` in the run folder.

    Columns are ``clip``, ``label`` (empty if unknown), ``answer`` and the probability of each class, headed by its
    name. Of several processes each writes its own file ``predictions-RANK.csv``.
    """

    def __init__(self) -> None:
        super().__init__(write_interval="batch")

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the file.

        Raises:
            UserError: If the task has no classes.
        """
        if not isinstance(pl_module, HasClasses):
            raise UserError(f"{type(pl_module).__name__} has no classes, so PredictionTable cannot name its answers")
        run = Path(trainer.default_root_dir)
        run.mkdir(parents=True, exist_ok=True)  # a checkpoint from elsewhere may have none
        suffix = f"-{trainer.global_rank}" if trainer.world_size > 1 else ""
        self.path = run / f"predictions{suffix}.csv"
        self.file = self.path.open("w", newline="", encoding="utf-8")
        self.writer = csv.writer(self.file)
        self.classes = list(pl_module.classes)
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
        """Write the clips of a batch: ``index``, ``answer``, ``probability`` and perhaps ``label``, a row per clip."""
        columns = {name: value.tolist() for name, value in prediction.items()}
        clips = columns["index"]
        labels = [self.classes[label] for label in columns["label"]] if "label" in columns else [""] * len(clips)
        for clip, label, answer, probabilities in zip(
            clips, labels, columns["answer"], columns["probability"], strict=True
        ):
            self.writer.writerow([clip, label, self.classes[answer], *(f"{p:.6f}" for p in probabilities)])

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.file.close()
        print(f"predictions: {self.path}")
