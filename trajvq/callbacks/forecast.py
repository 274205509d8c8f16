"""ForecastPictures: plot forecasts beside the truth."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L

from trajvq.callbacks.datasets import folder_of_test
from trajvq.callbacks.protocols import HasForecasts
from trajvq.io.arrays import Bytes
from trajvq.io.video import to_uint8
from trajvq.report.forecast import plot_fans, plot_horizons, save_gif
from trajvq.runs.loggers import show
from trajvq.tokens.datamodule import TokenDataModule

CLIPS = 12  # in predictions.gif


class ForecastPictures(L.Callback):
    """Plot the errors and samples of a test, and animate the first clips of a prediction beside the truth.

    ``test`` writes ``media/horizon-SPLIT.png``, the error by frame for each class and row, and
    ``media/fans-SPLIT.png``, sampled paths over the true ones, which W&B shows too. ``predict`` writes
    ``predictions.gif``. All go into the run folder.
    """

    def __init__(self) -> None:
        self.clips: list[tuple[Bytes, Bytes]] = []  # true and predicted, uint8 (T, 3, H, W) each

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        data = getattr(trainer, "datamodule", None)
        if not (trainer.is_global_zero and isinstance(pl_module, HasForecasts) and isinstance(data, TokenDataModule)):
            return
        media = Path(trainer.default_root_dir) / "media" / folder_of_test(trainer)
        for split, board in pl_module.scoreboards.items():
            horizon, fans = media / f"horizon-{split}.png", media / f"fans-{split}.png"
            plot_horizons(board["rows"], horizon, split)
            tracks, size = pl_module.tracks[split], (data.manifest.height, data.manifest.width)
            plot_fans(tracks, pl_module.context, pl_module.classes, fans, size=size)
            print(f"pictures: {horizon}, {fans.name}")
            show(trainer, f"fans_{split}", str(fans))

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Mapping[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        data, missing = getattr(trainer, "datamodule", None), CLIPS - len(self.clips)
        if missing <= 0 or not trainer.is_global_zero or not isinstance(data, TokenDataModule):
            return
        predicted, rows = to_uint8(outputs["video"][:missing]), outputs["index"][:missing].tolist()
        truth = data.clips(data.predict_split).batch(rows)["video"].numpy()
        self.clips += list(zip(truth, predicted, strict=True))

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.clips and isinstance(pl_module, HasForecasts):
            path = Path(trainer.default_root_dir) / "predictions.gif"
            truth, predicted = zip(*self.clips, strict=True)
            save_gif(truth, predicted, pl_module.context, path)
            print(f"predictions beside the truth: {path}")
