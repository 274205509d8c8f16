"""ConfusionPicture: which classes are taken for which, in ``media/`` and in W&B."""

from pathlib import Path

import lightning as L

from trajvq.report.confusion import plot_confusion
from trajvq.report.strips import save_png
from trajvq.runs.loggers import show


class ConfusionPicture(L.Callback):
    """Draws the confusion matrix after each validation and of every split tested."""

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._draw(trainer, pl_module, f"-step{trainer.global_step:06d}")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._draw(trainer, pl_module, "")

    @staticmethod
    def _draw(trainer: L.Trainer, pl_module: L.LightningModule, suffix: str) -> None:
        if not trainer.is_global_zero:
            return
        for split, counts in pl_module.confusion.items():  # type: ignore[union-attr, operator]
            if not suffix and split not in pl_module.scoreboards:  # type: ignore[operator]
                continue
            picture = plot_confusion(counts.numpy(), list(pl_module.classes), split)  # type: ignore[arg-type]
            save_png(picture, Path(trainer.default_root_dir) / "media" / f"confusion-{split}{suffix}.png")
            show(trainer, f"confusion_{split}", picture)
