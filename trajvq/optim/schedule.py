"""A linear warm-up and a cosine decay of the learning rate, both counted in steps."""

import math
from typing import Any

import torch


def scheduled(optimizer: torch.optim.Optimizer, warmup_steps: int, total_steps: int) -> dict[str, Any]:
    """Return an optimizer and its `WarmupCosine` in the form of Lightning's ``configure_optimizers``."""
    schedule = WarmupCosine(optimizer, warmup_steps, total_steps)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class WarmupCosine(torch.optim.lr_scheduler.LambdaLR):
    """Raise the learning rate linearly, then lower it to 0 along half a cosine. A checkpoint holds the step only.

    Args:
        optimizer: The optimizer.
        warmup_steps: Steps of the linear warm-up.
        total_steps: Steps until the learning rate is 0.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, warmup_steps: int, total_steps: int) -> None:
        def factor(step: int) -> float:
            if step < warmup_steps:
                return (step + 1) / warmup_steps
            progress = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
            return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))

        self.factor = factor
        super().__init__(optimizer, factor)

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.last_epoch = state_dict["last_epoch"]
        for group, peak in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = peak * self.factor(self.last_epoch)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
