"""LastCheckpoint: save ``last.ckpt``, from which a run continues exactly."""

import signal
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn

from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.errors import StoppedError, UserError
from trajvq.runs.checkpoints import FORMAT, LAST
from trajvq.runs.loggers import AppendingCSVLogger
from trajvq.runs.signals import StopSignals

SHARE = 0.02  # largest share of the time for saving; slow disks and large networks save less often


class LastCheckpoint(Checkpoint):
    """Save between two steps at regular times, before and after each validation, and when the run must stop.

    On SIGTERM, Ctrl-C, SIGUSR1 or SIGUSR2 the run finishes the current step, saves and ends. A validation in progress
    is dropped and repeated when the run continues. So does a run whose ``trainer.max_time`` is over. After an error in
    a step the state before that step is saved. The checkpoint before the last one is kept as ``last-1.ckpt``.

    Args:
        every_seconds: Seconds of training that a killed run may lose. It is more where saving would take over 2 % of
            the time. 0 saves after every step.
    """

    def __init__(self, every_seconds: float = 15) -> None:
        self.every_seconds = every_seconds
        self.signals = StopSignals()
        self.max_time: float | None = None  # seconds of training until this start of the run must stop
        self.started_at = 0.0
        self.saved_step, self.saved_at, self.cost = -1, 0.0, 0.0
        self.validation_due = False  # the checkpoint was saved just before a validation
        self.rows = 0  # of metrics.csv

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        every, accumulated = trainer.val_check_batch, trainer.accumulate_grad_batches
        if isinstance(every, int) and every % accumulated:
            raise UserError(
                f"trainer.val_check_interval is {every} batches and trainer.accumulate_grad_batches is {accumulated}; "
                "make the first a multiple of the second"
            )
        self.signals.listen()
        self.started_at = self.saved_at = time.monotonic()
        self.saved_step = trainer.global_step
        for logger in _csv_loggers(trainer):
            logger.truncate(self.rows)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx % trainer.accumulate_grad_batches:
            return  # checkpoints hold no accumulated gradients
        stop, due = self._agree(trainer)
        if stop or due:
            self._save(trainer)
        if stop:
            self._end(trainer, stop)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._fitting(trainer) and trainer.global_step < trainer.max_steps:
            self.validation_due = True
            self._save(trainer)

    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        # Several processes finish the validation: their numbers of batches differ, so they cannot agree here.
        if self._fitting(trainer) and self.signals.received and trainer.world_size == 1 and self.validation_due:
            self._end(trainer, self.signals.received)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._fitting(trainer):
            self.validation_due, self.saved_step = False, -1
            self._save(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._save(trainer)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        progress: Any = trainer.fit_loop.epoch_loop.batch_progress.total
        in_step = progress.ready > progress.processed and progress.processed == (
            trainer.global_step * trainer.accumulate_grad_batches
        )  # and the optimizer has not changed the weights yet
        alone = trainer.world_size == 1  # otherwise the other processes may wait for something else
        if isinstance(exception, Exception) and self._fitting(trainer) and trainer.training and in_step and alone:
            if self._finite(trainer):
                self._save(trainer)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self.signals.restore()

    def state_dict(self) -> dict[str, Any]:
        return {"validation_due": self.validation_due, "rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.validation_due, self.rows = state_dict["validation_due"], state_dict["rows"]

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Save the counts of the loops as they are between two steps, even if called during one."""
        loops = checkpoint["loops"]["fit_loop"]
        for loop in ("epoch_loop", "epoch_loop.val_loop"):
            for counts in loops[f"{loop}.batch_progress"].values():
                if isinstance(counts, dict):
                    counts |= dict.fromkeys(("ready", "started", "processed"), counts["completed"])
        loops["epoch_loop.batch_progress"]["is_last_batch"] = False
        for counts in loops["epoch_progress"].values():
            counts["processed"] = counts["completed"]
        data = getattr(trainer, "datamodule", None)
        dataset = data.manifest.sha256 if isinstance(data, TrajectoryDataModule) else None
        checkpoint["trajvq"] = {"format": FORMAT, "dataset": dataset}

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Make Lightning run a validation that was due: it resumes a validation that has started."""
        for name, state in checkpoint["callbacks"].items():
            if name == self.state_key and state["validation_due"]:
                started = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
                loops = checkpoint["loops"]["fit_loop"]
                loops["epoch_loop.val_loop.batch_progress"]["total"] |= started
                loops["epoch_loop.val_loop.batch_progress"]["current"] |= dict.fromkeys(started, 0)
            elif "best_model_path" in state:
                _update_paths(state, Path(trainer.default_root_dir) / "checkpoints", Path(str(trainer.ckpt_path)))

    def _fitting(self, trainer: L.Trainer) -> bool:
        return trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking

    def _agree(self, trainer: L.Trainer) -> tuple[int, bool]:
        """Return the received signal and whether it is time to save, the same in every process."""
        now = time.monotonic()
        elapsed = now - self.saved_at
        stop = self.signals.received or (signal.SIGTERM if trainer.received_sigterm else 0)
        if not stop and self.max_time is not None and now - self.started_at >= self.max_time:
            stop = signal.SIGALRM
        interval = max(self.every_seconds, self.cost / SHARE) if self.every_seconds else 0
        due = trainer.is_global_zero and elapsed >= interval
        if trainer.world_size == 1:
            return stop, due
        local = torch.tensor([float(stop), float(due)], device=trainer.strategy.root_device)
        agreed = trainer.strategy.reduce(local, reduce_op="max")
        assert isinstance(agreed, torch.Tensor)
        return int(agreed[0]), bool(agreed[1])

    def _finite(self, trainer: L.Trainer) -> bool:
        """Return whether all weights are finite. No run can continue from others."""
        weights = (getattr(p, "to_local", lambda p=p: p)() for p in trainer.lightning_module.parameters())
        return trainer.strategy.reduce_boolean_decision(all(bool(torch.isfinite(w).all()) for w in weights), all=True)

    def _save(self, trainer: L.Trainer) -> None:
        if self.saved_step == trainer.global_step:
            return
        if not self._finite(trainer):
            raise UserError(
                f"weights are not finite at step {trainer.global_step}; lower model.learning_rate (and "
                "model.matrix_learning_rate, if there is one) and repeat the command, which continues from the "
                "checkpoint before"
            )
        started = time.monotonic()
        for logger in _csv_loggers(trainer):
            logger.save()
            self.rows = logger.rows
        path = Path(trainer.default_root_dir) / "checkpoints" / LAST
        trainer.save_checkpoint(path)
        self.saved_step, self.saved_at = trainer.global_step, time.monotonic()
        self.cost = self.saved_at - started

    def _end(self, trainer: L.Trainer, number: int) -> None:
        run = trainer.default_root_dir
        reason = " (trainer.max_time)" if number == signal.SIGALRM else ""
        raise StoppedError(
            f"stopped at step {trainer.global_step} of {trainer.max_steps}{reason} and saved; continue with --run "
            f"{Path(run).name} and the same settings",
            number,
        )


def _csv_loggers(trainer: L.Trainer) -> list[AppendingCSVLogger]:
    return [logger for logger in trainer.loggers if isinstance(logger, AppendingCSVLogger)]


def _update_paths(state: dict[str, Any], folder: Path, source: Path) -> None:
    """Let a moved run keep its best checkpoint. A new run that starts from another run's weights has none yet.

    Args:
        state: State of a ModelCheckpoint, changed in place.
        folder: Folder of the run's checkpoints.
        source: The checkpoint that is loaded.
    """
    folder = folder.resolve()
    if source.resolve().parent != folder or Path(str(state["dirpath"])).name != folder.name:
        return
    state["dirpath"] = str(folder)
    for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
        if state[name]:
            state[name] = str(folder / Path(state[name]).name)
    state["best_k_models"] = {str(folder / Path(k).name): v for k, v in state["best_k_models"].items()}
