"""SamplePictures: what a test has drawn, in ``media/``."""

from pathlib import Path

import lightning as L

from trajvq.report.strips import save_png


class SamplePictures(L.Callback):
    """Saves the pictures of a test: sheets of samples, and those nearest to training clips above these."""

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        for name, picture in pl_module.pictures.items():  # type: ignore[union-attr, operator]
            path = Path(trainer.default_root_dir) / "media" / f"{name.replace('_', '-')}.png"
            save_png(picture, path)
            print(f"picture: {path}")
