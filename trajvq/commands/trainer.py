"""What the trainer of a training command consists of: its callbacks, its loggers and settings that fit the data."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.model_helpers import is_overridden

from trajvq.callbacks import (
    PredictionFile,
    ProvenanceNote,
    ScoreboardFile,
    StepSeeds,
    WandbPanels,
    progress_bar,
)
from trajvq.callbacks.protocols import task_name
from trajvq.commands.cluster import cluster_environments
from trajvq.commands.warnings import silence_mid_epoch_warning
from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.errors import UserError
from trajvq.metrics.figures import find
from trajvq.runs.checkpoints import WholeCheckpointIO
from trajvq.runs.loggers import loggers, scoreboard_loggers, with_csv


def common_callbacks(command: Sequence[str]) -> list[L.Callback]:
    """Return the callbacks of every command.

    Args:
        command: The command line, which the run's provenance keeps.
    """
    return [progress_bar(), ProvenanceNote(command), WandbPanels()]


def fit_callbacks(model: L.LightningModule, run: Path, seed: int) -> list[L.Callback]:
    """Return the callbacks of ``fit`` alone.

    A task names the figure that selects ``best.ckpt`` in an attribute ``monitor`` and its direction in
    ``monitor_mode``, "max" or "min". Without a ``monitor`` there is no ``best.ckpt``. Without a ``monitor_mode`` the
    direction is that of the registered figure, or "max" if there is none.

    Args:
        model: The task.
        run: The run folder.
        seed: Seed of the run.
    """
    callbacks: list[L.Callback] = []
    monitor: str | None = getattr(model, "monitor", None)
    if monitor:
        figure = find(monitor.rpartition("/")[2])
        mode = getattr(model, "monitor_mode", None) or (figure and figure.mode) or "max"
        folder = run / "checkpoints"
        callbacks.append(
            ModelCheckpoint(folder, filename="best", monitor=monitor, mode=mode, enable_version_counter=False)
        )
    # seed_everything sets the variable, also if the config asks for a random seed.
    callbacks.append(StepSeeds(int(os.environ.get("PL_GLOBAL_SEED", seed))))
    return callbacks


def evaluation_callbacks(model: L.LightningModule, checkpoint: str) -> list[L.Callback]:
    """Return the callbacks of ``validate``, ``test`` and ``predict``.

    A task without ``configure_callbacks`` gets `PredictionFile`; another one names its own prediction writer.

    Args:
        model: The task.
        checkpoint: The checkpoint that is evaluated, as scoreboards name it.
    """
    callbacks: list[L.Callback] = [ScoreboardFile(checkpoint)]
    if not is_overridden("configure_callbacks", model, L.LightningModule):
        callbacks.append(PredictionFile())
    return callbacks


def logger_settings(command: str, setting: Any, model: L.LightningModule, run: Path) -> dict[str, Any]:
    """Return the trainer's ``logger``, or nothing where the one of the config stays.

    Args:
        command: ``fit``, ``validate``, ``test`` or ``predict``.
        setting: ``trainer.logger`` of the config.
        model: The task.
        run: The run folder.
    """
    default = setting is None or setting is True
    if command == "fit":
        if default:
            return {"logger": loggers(run, task_name(model))}
        return {"logger": with_csv(as_list(setting), run)} if setting else {}
    return {"logger": (command == "test" and default and scoreboard_loggers(run, task_name(model))) or False}


def fixed_settings(config: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """Return the settings of the trainer that no config changes.

    Args:
        config: The config's ``trainer``.
        run: The run folder.
    """
    # Lightning's tips and the profiler's table go through one log. Keep it only for the table.
    level = logging.INFO if config["profiler"] else logging.WARNING
    logging.getLogger("lightning.pytorch").setLevel(level)
    plugins = as_list(config["plugins"])
    return {
        "plugins": [*plugins, *cluster_environments(plugins, config["num_nodes"]), WholeCheckpointIO()],
        "enable_model_summary": False,
        "enable_progress_bar": sys.stdout.isatty(),
        "default_root_dir": str(run),
    }


def data_settings(config: Mapping[str, Any], datamodule: L.LightningDataModule | None) -> dict[str, Any]:
    """Return the settings of the trainer that the data ask for.

    Args:
        config: The config's ``trainer``.
        datamodule: The data.

    Raises:
        UserError: If the config contradicts them.
    """
    if not isinstance(datamodule, TrajectoryDataModule):
        return {}
    if config["max_epochs"] is not None:
        raise UserError("a run stops at trainer.max_steps, which the learning rate follows; remove trainer.max_epochs")
    if config["limit_train_batches"] not in (None, 1.0):
        raise UserError(
            "a run is one pass of trainer.max_steps; to train on fewer clips, set data.train_clips instead of "
            "trainer.limit_train_batches"
        )
    silence_mid_epoch_warning()
    return {"use_distributed_sampler": False}  # the data module distributes the clips among processes itself


def announce(config: Mapping[str, Any], model: L.LightningModule, run: Path) -> None:
    """Print what a run trains, and warn if it does not validate its last steps."""
    say = rank_zero_only(print)
    interval, batches = config["val_check_interval"], config["max_steps"] * config["accumulate_grad_batches"]
    if isinstance(interval, int) and batches > interval and batches % interval:
        say(
            f"the last {batches % interval:,} batches are not validated, so best.ckpt ignores them; set "
            "trainer.val_check_interval to a divisor of trainer.max_steps"
        )
    weights = sum(p.numel() for p in model.parameters())
    size = f"{weights:,} weights, " if weights else ""  # some tasks build their network once they see the data
    say(f"run: {run}  {size}{config['max_steps']:,} steps", flush=True)


def as_list(setting: Any) -> list[Any]:
    """Return a setting that may be None, one object or a list, as a list."""
    return [] if setting is None else setting if isinstance(setting, list) else [setting]
