"""Progress: a bar where there is a terminal, a line for each validation where there is none."""

import sys
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import RichProgressBar

SHOWN = ("skill", "accuracy", "nll", "ade", "visible", "centroid_error", "codes_used", "mse")


class ProgressLines(L.Callback):
    """Prints one line for each validation."""

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero or trainer.state.fn != "fit":
            return
        found = trainer.callback_metrics
        figures = "  ".join(f"{name} {float(found[f'val/{name}']):.4g}" for name in SHOWN if f"val/{name}" in found)
        print(f"step {trainer.global_step}/{trainer.max_steps}  {figures}", flush=True)


class SkillBar(RichProgressBar):
    """Lightning's Rich bar, less the version number."""

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}


def progress_bar() -> L.Callback:
    """Return the bar for a terminal, or the lines for a file."""
    return SkillBar() if sys.stdout.isatty() else ProgressLines()
