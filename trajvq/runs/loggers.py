"""Loggers of a run: always ``metrics.csv``, and W&B online or offline."""

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

WANDB_ID = "wandb.id"  # file with the W&B run that a continued run goes on logging to


class _AppendingWriter(ExperimentWriter):
    """Append to an existing ``metrics.csv``, which Lightning's own writer deletes."""

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
        """Rewrite the file with more columns, completely or not at all."""
        path = Path(self.metrics_file_path)
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        with whole_file(path) as partial, partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=fieldnames)
            writer.writeheader()
            writer.writerows(rows)

    def save(self) -> None:
        """Append the rows that were logged since the last call."""
        self.rows += len(self.metrics)
        super().save()

    def truncate(self, rows: int) -> None:
        """Keep the first rows of the file only."""
        path = Path(self.metrics_file_path)
        if self.rows <= rows or not path.is_file():
            return
        with path.open(newline="") as file:
            lines = file.readlines()[: rows + 1]
        with whole_file(path) as partial:
            partial.write_text("".join(lines))
        self.rows = rows


class AppendingCSVLogger(CSVLogger):
    """Log to the ``metrics.csv`` of a run, and go on when the run continues."""

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        """The writer of the file."""
        if self._experiment is None:
            self._experiment = _AppendingWriter(log_dir=self.log_dir)
        assert isinstance(self._experiment, ExperimentWriter)
        return self._experiment

    @rank_zero_only
    def truncate(self, rows: int) -> None:
        """Keep the first rows of the file only; the others were logged after the checkpoint."""
        assert isinstance(self.experiment, _AppendingWriter)
        self.experiment.truncate(rows)

    @property
    def rows(self) -> int:
        """Number of rows in the file."""
        return self.experiment.rows if isinstance(self.experiment, _AppendingWriter) else 0


def loggers(run: Path, task: str) -> list[Logger]:
    """Return the loggers of a training: CSV, and W&B unless ``WANDB_MODE`` is ``disabled``.

    Args:
        run: The run folder.
        task: Name of the task, by which W&B groups runs.
    """
    csv_logger = AppendingCSVLogger(run, name="", version="")
    return [csv_logger] if _wandb_disabled() else [csv_logger, _wandb_logger(run, task)]


def scoreboard_loggers(run: Path, task: str) -> list[Logger]:
    """Return the loggers of a test: the W&B run of the training, if there is one, so that it shows scoreboards too.

    Args:
        run: The run folder.
        task: Name of the task, by which W&B groups runs.
    """
    return [_wandb_logger(run, task)] if (run / WANDB_ID).exists() and not _wandb_disabled() else []


def show(trainer: L.Trainer, name: str, picture: str | NDArray[np.uint8], motion: str | None = None) -> None:
    """Log a picture to the trainer's W&B runs.

    Args:
        trainer: The trainer.
        name: Name of the panel, without ``media/``.
        picture: A file, or uint8 ``(H, W, 3)``.
        motion: A GIF, logged as ``media/clips``.
    """
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(f"media/{name}", [picture])
            if motion is not None:
                logger.log_video("media/clips", [motion], format=["gif"])


def _wandb_disabled() -> bool:
    return os.environ.get("WANDB_MODE") == "disabled"


def _wandb_logger(run: Path, task: str) -> WandbLogger:
    import wandb  # here, because the import takes a second

    online = os.environ.get("WANDB_MODE", "online") == "online" and wandb.login(prompt=False)
    if not online:
        rank_zero_only(print)(f"W&B is offline; upload the run with `wandb sync {run}/wandb/offline-*`")
    logger = WandbLogger(
        name=run.resolve().name,
        save_dir=run.absolute(),  # absolute, because its service keeps the folder that it was started in
        project="trajvq",
        group=task,
        id=_wandb_id(run),
        resume="allow",
        mode="online" if online else "offline",
        settings=wandb.Settings(silent=True),
    )
    logger._wandb_init.pop("anonymous", None)  # Lightning always sets it, and W&B warns about it
    return logger


def _wandb_id(run: Path) -> str | None:
    if getattr(rank_zero_only, "rank", 0):
        return None  # only the first process logs
    path = run / WANDB_ID
    if not path.exists():
        write_text(path, os.urandom(6).hex())
    return path.read_text().strip()
