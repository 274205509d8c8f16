"""Progress of a run: a bar on a terminal, one line per validation elsewhere."""

import sys
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import RichProgressBar

FIGURES = ("skill", "accuracy", "nll", "ade", "visible", "centroid_error", "codes_used", "mse")


class ProgressLines(L.Callback):
    """Print one line per validation."""

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero or trainer.state.fn != "fit":
            return
        logged = trainer.callback_metrics
        figures = "  ".join(f"{name} {float(logged[f'val/{name}']):.4g}" for name in FIGURES if f"val/{name}" in logged)
        print(f"step {trainer.global_step}/{trainer.max_steps}  {figures}", flush=True)


class StepBar(RichProgressBar):
    """Lightning's Rich progress bar without the version number, and without ``/-2`` where no epochs are set."""

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}

    def _get_train_description(self, current_epoch: int) -> str:
        if self.trainer.max_epochs == -1:  # a run ends after a number of steps
            return f"Epoch {current_epoch}".ljust(len(self.validation_description))
        return super()._get_train_description(current_epoch)


def progress_bar() -> L.Callback:
    """Return a progress bar if the output is a terminal, else `ProgressLines`."""
    return StepBar() if sys.stdout.isatty() else ProgressLines()
