"""Where a run's figures go: ``metrics.csv`` always, and W&B, online or offline."""

import csv
import os
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray

from trajvq.io.files import whole_file, write_text

WANDB_ID = "wandb.id"  # a run that is continued goes on in the same W&B run


class _AppendingWriter(ExperimentWriter):
    """Goes on in an existing ``metrics.csv``, which Lightning's own deletes."""

    def _check_log_dir_exists(self) -> None:
        self.rows = 0
        path = Path(self.metrics_file_path)
        if path.is_file():
            with path.open(newline="") as file:
                reader = csv.reader(file)
                self.metrics_keys = next(reader, [])
                self.rows = sum(1 for _ in reader)

    def log_hparams(self, params: dict[str, Any]) -> None:
        """Do nothing: ``config.yaml`` holds them."""

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        """Write the file anew with more columns, whole or not at all."""
        path = Path(self.metrics_file_path)
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        with whole_file(path) as partial, partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=fieldnames)
            writer.writeheader()
            writer.writerows(rows)

    def save(self) -> None:
        """Append what was logged since."""
        self.rows += len(self.metrics)
        super().save()

    def cut(self, rows: int) -> None:
        """Forget what stands behind the first so many rows."""
        path = Path(self.metrics_file_path)
        if self.rows <= rows or not path.is_file():
            return
        with path.open(newline="") as file:
            lines = file.readlines()[: rows + 1]
        with whole_file(path) as partial:
            partial.write_text("".join(lines))
        self.rows = rows


class AppendingCSVLogger(CSVLogger):
    """``metrics.csv`` of a run, continued when the run is."""

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        """The writer of the file."""
        if self._experiment is None:
            self._experiment = _AppendingWriter(log_dir=self.log_dir)
        assert isinstance(self._experiment, ExperimentWriter)
        return self._experiment

    @rank_zero_only
    def cut(self, rows: int) -> None:
        """Forget what stands behind the first so many rows: it was logged after the checkpoint."""
        assert isinstance(self.experiment, _AppendingWriter)
        self.experiment.cut(rows)

    @property
    def rows(self) -> int:
        """Rows that are in the file."""
        return self.experiment.rows if isinstance(self.experiment, _AppendingWriter) else 0


def loggers(run: Path, task: str) -> list[Logger]:
    """Return CSV, and W&B: online where a key is there, else offline."""
    return [AppendingCSVLogger(run, name="", version=""), _wandb_logger(run, task)]


def test_loggers(run: Path, task: str) -> list[Logger]:
    """Return W&B where the run was logged there, so that its scoreboards stand beside its curves."""
    return [_wandb_logger(run, task)] if (run / WANDB_ID).exists() else []


def show(trainer: L.Trainer, name: str, picture: str | NDArray[np.uint8], motion: str | None = None) -> None:
    """Show a picture in the W&B runs that this process logs to.

    Args:
        trainer: Whose loggers are looked through.
        name: Of the panel, ``media/`` is put before it.
        picture: A file, or uint8 ``(H, W, 3)``.
        motion: A GIF, shown as ``media/clips``.
    """
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(f"media/{name}", [picture])
            if motion is not None:
                logger.log_video("media/clips", [motion], format=["gif"])


def _wandb_logger(run: Path, task: str) -> WandbLogger:
    import wandb  # takes a second, so only when a run starts

    online = os.environ.get("WANDB_MODE", "online") == "online" and wandb.login(prompt=False)
    if not online:
        rank_zero_only(print)(f"W&B: offline; `wandb sync {run}/wandb/offline-*` uploads it")
    logger = WandbLogger(
        name=run.resolve().name,
        save_dir=run.absolute(),  # its service keeps the folder that it was started in
        project="trajvq",
        group=task,
        id=_wandb_id(run),
        resume="allow",
        mode="online" if online else "offline",
        settings=wandb.Settings(silent=True),
    )
    logger._wandb_init.pop("anonymous", None)  # Lightning always gives it, and W&B warns of it
    return logger


def _wandb_id(run: Path) -> str | None:
    if getattr(rank_zero_only, "rank", 0):
        return None  # other processes log nothing
    path = run / WANDB_ID
    if not path.exists():
        write_text(path, os.urandom(6).hex())
    return path.read_text().strip()
