"""SamplePictures: show the clips that a test sampled."""

from pathlib import Path

import lightning as L

from trajvq.callbacks.datasets import folder_of_test
from trajvq.callbacks.protocols import HasSamples
from trajvq.report.pictures import save_png
from trajvq.report.samples import render_samples
from trajvq.report.strips import render_sheet
from trajvq.runs.loggers import show


class SamplePictures(L.Callback):
    """Show samples by class, and the samples closest to training clips above these clips.

    ``test`` writes ``media/samples.png`` and ``media/closest-pairs.png`` into the run folder and logs them to W&B.
    """

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(pl_module, HasSamples):
            return
        media = Path(trainer.default_root_dir) / "media" / folder_of_test(trainer)
        samples, training_clips = pl_module.closest_pairs
        pictures = {
            "samples": render_samples(pl_module.samples_by_class),
            "closest-pairs": render_sheet(samples, training_clips),
        }
        for name, picture in pictures.items():
            save_png(picture, media / f"{name}.png")
            print(f"picture: {media / name}.png")
            show(trainer, name, picture)
