"""Loggers of a run: always ``metrics.csv``, and W&B, TensorBoard or the user's own."""

import csv
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray
from PIL import Image

from trajvq.errors import UserError
from trajvq.io.files import whole_file
from trajvq.runs.wandb_runs import WANDB_ID, surviving, wandb_logger, wandb_loggers


class _AppendingWriter(ExperimentWriter):
    """Append to an existing ``metrics.csv``, which Lightning's own writer deletes."""

    def _check_log_dir_exists(self) -> None:
        self.rows = 0
        path = Path(self.metrics_file_path)
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.reader(file)
                self.metrics_keys = next(reader, [])
                self.rows = sum(1 for _ in reader)

    def log_hparams(self, params: dict[str, Any]) -> None:
        """Do nothing: ``config.yaml`` holds them."""

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        """Rewrite the file with more columns, completely or not at all."""
        path = Path(self.metrics_file_path)
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
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
        with path.open(newline="", encoding="utf-8") as file:
            lines = file.readlines()[: rows + 1]
        with whole_file(path) as partial:
            partial.write_text("".join(lines), encoding="utf-8")
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


class TensorBoard(TensorBoardLogger):
    """Log figures and pictures to TensorBoard, in the folder ``tensorboard`` of the run.

    Raises:
        UserError: If TensorBoard is not installed.
    """

    def __init__(self) -> None:
        if not find_spec("tensorboard") and not find_spec("tensorboardX"):
            raise UserError("TensorBoard is not installed; `pip install tensorboard`")
        super().__init__("", name="tensorboard", version="", default_hp_metric=False)

    def open(self, run: Path) -> None:
        """Log to a run folder."""
        self._root_dir = str(run)

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Do nothing: ``config.yaml`` holds them."""

    def save(self) -> None:
        """Write nothing beside the events."""

    def add_picture(self, name: str, picture: str | NDArray[np.uint8], step: int) -> None:
        """Log a picture: a file, or uint8 ``(H, W, 3)``."""
        pixels = np.asarray(Image.open(picture).convert("RGB")) if isinstance(picture, str) else picture
        self.experiment.add_image(name, pixels, step, dataformats="HWC")


def with_csv(chosen: Iterable[Logger], run: Path) -> list[Logger]:
    """Return the loggers that a config asks for, with CSV added, opened for a run.

    Args:
        chosen: The loggers of the config.
        run: The run folder.
    """
    logging = list(chosen)
    for logger in logging:
        if isinstance(logger, TensorBoard):
            logger.open(run)
    has_csv = any(isinstance(logger, CSVLogger) for logger in logging)
    return logging if has_csv else [_csv_logger(run), *logging]


def loggers(run: Path, task: str) -> list[Logger]:
    """Return the loggers of a training: CSV, and W&B unless the environment disables it or its settings are wrong.

    Args:
        run: The run folder.
        task: Name of the task, by which W&B groups runs.
    """
    return [_csv_logger(run), *wandb_logger(run, task)]


def scoreboard_loggers(run: Path, task: str) -> list[Logger]:
    """Return the loggers of a test: the W&B run of the training, if there is one, so that it shows scoreboards too.

    Args:
        run: The run folder.
        task: Name of the task, by which W&B groups runs.
    """
    return [*wandb_logger(run, task)] if (run / WANDB_ID).exists() else []


def _csv_logger(run: Path) -> AppendingCSVLogger:
    return AppendingCSVLogger(run, name="", version="")


def show(trainer: L.Trainer, name: str, picture: str | NDArray[np.uint8], motion: str | None = None) -> None:
    """Log a picture to W&B and TensorBoard, where the trainer logs to them.

    Args:
        trainer: The trainer.
        name: Name of the panel, without ``media/``.
        picture: A file, or uint8 ``(H, W, 3)``.
        motion: A GIF, logged to W&B as ``media/clips``.
    """
    for logger in wandb_loggers(trainer):
        with surviving(logger):
            logger.log_image(f"media/{name}", [picture])
            if motion is not None:
                logger.log_video("media/clips", [motion], format=["gif"])
    for other in trainer.loggers:
        if isinstance(other, TensorBoard) and trainer.is_global_zero:
            other.add_picture(f"media/{name}", picture, trainer.global_step)
