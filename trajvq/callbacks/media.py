"""ReconstructionStrips: show reconstructions beside their targets during training."""

from pathlib import Path
from typing import Any

import lightning as L

from trajvq.callbacks.protocols import has_reconstruction
from trajvq.io.video import to_uint8
from trajvq.report.pictures import save_png
from trajvq.report.strips import render_sheet, save_gif
from trajvq.runs.loggers import show


class ReconstructionStrips(L.Callback):
    """Save target, reconstruction and error of the first validation clips as a picture and as an animation.

    Writes ``media/reconstruction-stepNNNNNN.png`` and ``.gif`` into the run folder and logs them to W&B. Does nothing
    for tasks whose ``validation_step`` returns no reconstruction.

    Args:
        clips: Number of clips.
        every_n_validations: Validations from one picture to the next.

    Raises:
        ValueError: If one of them is below 1.
    """

    def __init__(self, clips: int = 6, every_n_validations: int = 1) -> None:
        if clips < 1 or every_n_validations < 1:
            raise ValueError(
                f"strips.clips is {clips} and strips.every_n_validations {every_n_validations}; both are at least 1"
            )
        self.clips, self.every = clips, every_n_validations
        self.validations = 0

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if batch_idx or trainer.sanity_checking or not trainer.is_global_zero or not has_reconstruction(outputs):
            return
        self.validations += 1
        if (self.validations - 1) % self.every:
            return
        target, reconstruction = (to_uint8(outputs[name][: self.clips]) for name in ("video", "reconstruction"))
        picture = render_sheet(target, reconstruction)
        path = Path(trainer.default_root_dir) / "media" / f"reconstruction-step{trainer.global_step:06d}.png"
        save_png(picture, path)
        save_gif(target, reconstruction, path.with_suffix(".gif"))
        show(trainer, "reconstruction", picture, motion=str(path.with_suffix(".gif")))

    def state_dict(self) -> dict[str, Any]:
        return {"validations": self.validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.validations = state_dict["validations"]
