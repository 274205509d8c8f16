"""CollapseWatch: stop a tokenizer early that learns nothing, and name its fault."""

from collections.abc import Mapping
from typing import Any, Literal

import lightning as L
from lightning.pytorch.utilities import rank_zero_warn
from torchmetrics import MeanMetric

from trajvq.callbacks.protocols import has_reconstruction
from trajvq.errors import CollapseError

OUTSIDE = 0.05  # share of values beyond [-0.1, 1.1] that makes a wrong range
RISING = 0.75  # skill rises if the gap to the threshold shrinks below this multiple of the gap before
MOVING = 0.05  # share of the target's variance over time below which a reconstruction is static


class CollapseWatch(L.Callback):
    """Stop a run, or warn, when ``val/skill`` stays close to 0 for several validations and does not rise.

    It names the first of these faults: *wrong range* (values far outside [0, 1]), *one code* (a single token for
    everything), *blank* (no object is visible) and *static* (nothing moves). It does nothing for tasks whose
    ``validation_step`` returns no reconstruction.

    Args:
        patience: Number of consecutive validations below ``threshold`` that make a collapse. A validation that comes
            closer to the threshold by a quarter than the one before does not count.
        threshold: Skill below which a tokenizer is useless.
        on_collapse: ``stop`` ends the run with exit code 3. ``warn`` continues it, for sweeps.
    """

    def __init__(
        self, patience: int = 3, threshold: float = 0.05, on_collapse: Literal["stop", "warn"] = "stop"
    ) -> None:
        self.patience, self.threshold, self.on_collapse = patience, threshold, on_collapse
        self.validations, self.gap = 0, 0.0
        self.collapsed: str | None = None
        self.outside, self.motion = MeanMetric(), MeanMetric()
        self.target_motion = MeanMetric()
        self.reconstructs = False  # the task's validation returns reconstructions

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for metric in (self.outside, self.motion, self.target_motion):
            metric.to(pl_module.device).reset()

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if not has_reconstruction(outputs):
            return
        self.reconstructs = True
        reconstruction, video = outputs["reconstruction"].float(), outputs["video"].float()
        inside = (reconstruction >= -0.1) & (reconstruction <= 1.1)  # false for NaN
        self.outside.update((~inside).float().mean())
        self.motion.update(reconstruction.nan_to_num().clamp(0, 1).var(dim=2).mean())
        self.target_motion.update(video.var(dim=2).mean())

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking or "val/skill" not in trainer.callback_metrics:
            return
        # A process without a batch has seen no reconstruction, yet must take part in computing the metrics.
        if not trainer.strategy.reduce_boolean_decision(self.reconstructs, all=False):
            return
        skill = float(trainer.callback_metrics["val/skill"])
        gap = self.threshold - skill
        rises, self.gap = gap < RISING * self.gap, gap
        if gap <= 0:
            self.validations = 0
        elif not rises:
            self.validations += 1
        if gap <= 0 or rises or self.validations < self.patience:
            return
        fault = self.fault({name: float(value) for name, value in trainer.callback_metrics.items()})
        line = (
            f"collapse after {self.validations} validations (step {trainer.global_step}): {fault}; "
            f"skill {skill:.3f} is below {self.threshold}"
        )
        if self.on_collapse == "stop":
            self.collapsed = (
                f"{line}. Use BalancedLoss, lower model.matrix_learning_rate and model.learning_rate, or raise "
                "--collapse.patience"
            )
        else:
            rank_zero_warn(line)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop a continued run that had collapsed, unless its new settings allow it to go on."""
        if self.on_collapse == "warn" or self.validations < self.patience:
            self.collapsed = None
        self._stop()

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self._stop()  # only now do the checkpoints hold this validation

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._stop()

    def _stop(self) -> None:
        if self.collapsed:
            raise CollapseError(self.collapsed)

    def fault(self, figures: Mapping[str, float]) -> str:
        """Name the fault of the last validation.

        Args:
            figures: Its figures by name, such as ``val/visible``.
        """
        outside, motion = float(self.outside.compute()), float(self.motion.compute())
        if outside > OUTSIDE:
            return f"wrong range, {outside:.0%} of the values lie outside [0, 1]"
        if figures.get("val/codes_used", 2.0) <= 1:
            return "one code, every token is the same"
        if figures.get("val/visible", 1.0) < 0.5:
            return f"blank, the object is visible in {figures['val/visible']:.0%} of the frames"
        if motion < MOVING * float(self.target_motion.compute()):
            return "static, the reconstructions do not move"
        return "no better than a trivial answer"

    def state_dict(self) -> dict[str, Any]:
        return {"validations": self.validations, "gap": self.gap, "collapsed": self.collapsed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.validations = state_dict["validations"]
        # Checkpoints of older versions have neither.
        self.gap, self.collapsed = state_dict.get("gap", 0.0), state_dict.get("collapsed")
