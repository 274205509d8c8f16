"""ForecastPictures: what a forecaster foresees, beside what came, in ``media/`` and in W&B."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from numpy.typing import NDArray

from trajvq.io.video import to_uint8
from trajvq.report.forecast import plot_fans, plot_horizons, save_gif
from trajvq.runs.loggers import show

SHOWN = 12  # clips in a picture


class ForecastPictures(L.Callback):
    """Draws error by horizon, by class and row, and fans of samples over the truth for every split tested.

    Fans go to W&B, too. After ``predict`` the first clips go on beside the truth in ``predictions.gif`` in the run
    folder.

    Args:
        run: The run folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.shown: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        task: Any = pl_module
        for split, board in task.scoreboards.items():
            media = self.run / "media"
            plot_horizons(board["rows"], media / f"horizon-{split}.png", split)
            size = task.data.manifest.height
            plot_fans(task.places[split], task.context, task.classes, media / f"fans-{split}.png", size=size)
            print(f"pictures: {media}/horizon-{split}.png, fans-{split}.png")
            show(trainer, f"fans_{split}", str(media / f"fans-{split}.png"))

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Mapping[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        task: Any = pl_module
        wanted = SHOWN - len(self.shown)
        if wanted <= 0 or not trainer.is_global_zero:
            return
        made, rows = to_uint8(outputs["video"][:wanted]), outputs["index"][:wanted].tolist()
        truth = task.data.clips(task.data.predict_split).batch(rows)["video"].numpy()
        self.shown += list(zip(truth, made, strict=True))

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.shown:
            path = self.run / "predictions.gif"
            task: Any = pl_module
            save_gif([pair[0] for pair in self.shown], [pair[1] for pair in self.shown], task.context, path)
            print(f"in motion, beside the truth: {path}")
