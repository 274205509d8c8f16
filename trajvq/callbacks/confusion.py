"""ConfusionPicture: plot which classes a classifier takes for which."""

from pathlib import Path

import lightning as L

from trajvq.callbacks.datasets import folder_of_test
from trajvq.callbacks.protocols import HasConfusion
from trajvq.report.confusion import plot_confusion
from trajvq.report.pictures import save_png
from trajvq.runs.loggers import show


class ConfusionPicture(L.Callback):
    """Plot the confusion matrix after each validation of a training and of every tested split.

    Writes ``media/confusion-SPLIT.png`` into the run folder, with the step in its name during training, and logs the
    picture to W&B.
    """

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if isinstance(pl_module, HasConfusion) and not trainer.sanity_checking and trainer.state.fn == "fit":
            self._plot(trainer, pl_module, list(pl_module.confusion), f"-step{trainer.global_step:06d}")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if isinstance(pl_module, HasConfusion):
            splits = [split for split in pl_module.confusion if split in pl_module.scoreboards]
            self._plot(trainer, pl_module, splits, folder=folder_of_test(trainer))

    @staticmethod
    def _plot(trainer: L.Trainer, task: HasConfusion, splits: list[str], suffix: str = "", folder: str = "") -> None:
        if not trainer.is_global_zero:
            return
        for split in splits:
            picture = plot_confusion(task.confusion[split], list(task.classes), split)
            save_png(picture, Path(trainer.default_root_dir) / "media" / folder / f"confusion-{split}{suffix}.png")
            show(trainer, f"confusion_{split}", picture)
