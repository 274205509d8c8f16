"""ReconstructionStrips: pictures of what the tokenizer gives back, in ``media/`` and in W&B."""

from pathlib import Path
from typing import Any

import lightning as L

from trajvq.io.video import to_uint8
from trajvq.report.strips import save_gif, save_png, sheet
from trajvq.runs.loggers import show


class ReconstructionStrips(L.Callback):
    """Saves strips and an animation of target, reconstruction and error at validation.

    Args:
        clips: Clips shown; the first of the validation split.
        every_n_validations: How often.
    """

    def __init__(self, clips: int = 6, every_n_validations: int = 1) -> None:
        self.clips, self.every = clips, every_n_validations
        self.validations = 0

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if batch_idx or trainer.sanity_checking or not trainer.is_global_zero:
            return
        self.validations += 1
        if (self.validations - 1) % self.every:
            return
        target, made = (to_uint8(outputs[name][: self.clips]) for name in ("video", "reconstruction"))
        picture = sheet(target, made)
        path = Path(trainer.default_root_dir) / "media" / f"reconstruction-step{trainer.global_step:06d}.png"
        save_png(picture, path)
        save_gif(target, made, path.with_suffix(".gif"))
        show(trainer, "reconstruction", picture, motion=str(path.with_suffix(".gif")))

    def state_dict(self) -> dict[str, Any]:
        return {"validations": self.validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.validations = state_dict["validations"]
