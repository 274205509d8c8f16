"""SamplePictures: what a test has drawn, in ``media/``."""

from pathlib import Path

import lightning as L

from trajvq.callbacks.protocols import HasSamples
from trajvq.report.samples import sample_sheet
from trajvq.report.strips import save_png, sheet
from trajvq.runs.loggers import show


class SamplePictures(L.Callback):
    """Shows pictures of a test: a sheet of samples, and those nearest to training clips above these; also in W&B."""

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(pl_module, HasSamples):
            return
        media = Path(trainer.default_root_dir) / "media"
        drawn, train = pl_module.pairs
        for name, picture in (("samples", sample_sheet(pl_module.shown)), ("closest-pairs", sheet(drawn, train))):
            save_png(picture, media / f"{name}.png")
            print(f"picture: {media / name}.png")
            show(trainer, name, picture)
