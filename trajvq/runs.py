"""Run folders: ``runs/TASK/RUN`` with config, metrics, checkpoints, media and scoreboards."""

import csv
import itertools
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter

from trajvq.errors import UserError

COMPLETE = "complete.json"  # written last; a folder without it can be continued
LATEST = "latest"
DEBUG = "debug"  # runs under a folder of this name never become `latest`


def open_run(root: Path, name: str) -> tuple[Path, Path | None]:
    """Make or reopen a run folder.

    Args:
        root: Folder of the task's runs.
        name: Name of the run.

    Returns:
        The folder, and the checkpoint that an unfinished run is continued from.

    Raises:
        UserError: If the run is already finished or the folder cannot be written.
    """
    run = root / name
    if name in (LATEST, "", ".", "..") or Path(name).name != name:
        raise UserError(f"--run {name!r} is no name for a run; choose a plain word")
    if (run / COMPLETE).exists():
        raise UserError(f"run {run} is finished; choose another --run, or test it with --ckpt_path {best(run)}")
    try:
        (run / "checkpoints").mkdir(parents=True, exist_ok=True)
        (run / ".writable").touch()
        (run / ".writable").unlink()
    except OSError as error:
        raise UserError(f"cannot write the run folder {run}: {error.strerror}; set --run_root") from None
    last = run / "checkpoints" / "last.ckpt"
    return run, last if last.exists() else None


def new_name(root: Path) -> str:
    """Name a run by date and time, and by a number besides if another began in the same second."""
    now = datetime.now().strftime("%Y%m%d-%H%M%S")
    names = itertools.chain([now], (f"{now}-{k}" for k in itertools.count(2)))
    return next(name for name in names if not (root / name).exists())


def best(run: Path) -> Path:
    """Return where a run keeps its best checkpoint."""
    return run / "checkpoints" / "best.ckpt"


def finish(run: Path, steps: int) -> None:
    """Mark a run as complete and point ``latest`` at it, unless it is a debug run."""
    content = {"steps": steps, "finished": datetime.now().astimezone().isoformat(timespec="seconds")}
    (run / COMPLETE).write_text(json.dumps(content))
    if run.parent.name == DEBUG:
        return
    link = run.parent / f".{LATEST}.partial"
    link.unlink(missing_ok=True)
    link.symlink_to(run.name, target_is_directory=True)
    link.replace(run.parent / LATEST)


class _AppendingWriter(ExperimentWriter):
    """Goes on in an existing ``metrics.csv``, which Lightning's own deletes."""

    def _check_log_dir_exists(self) -> None:
        path = Path(self.metrics_file_path)
        if path.is_file():
            with path.open(newline="") as file:
                self.metrics_keys = next(csv.reader(file), [])

    def log_hparams(self, params: dict[str, Any]) -> None:
        """Do nothing: ``config.yaml`` holds them."""


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


def loggers(run: Path, task: str) -> list[Logger]:
    """Return CSV, and W&B: online where a key is there, else offline."""
    import wandb  # takes a second, so only when a run starts

    online = os.environ.get("WANDB_MODE", "online") == "online" and wandb.login(prompt=False)
    if not online:
        print(f"W&B: offline; `wandb sync {run}/wandb/offline-*` uploads it")
    settings = wandb.Settings(silent=True)
    return [
        AppendingCSVLogger(run, name="", version=""),
        WandbLogger(
            name=run.name,
            save_dir=run,
            project="trajvq",
            group=task,
            mode="online" if online else "offline",
            settings=settings,
        ),
    ]
