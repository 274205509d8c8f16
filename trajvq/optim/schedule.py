"""Optimizers with a linear warm-up and a cosine decay, both counted in steps."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from trajvq.optim.muon import Muon


def adamw(
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    warmup_steps: int,
    total_steps: int,
    betas: tuple[float, float],
    weight_decay: float,
) -> dict[str, Any]:
    """Return AdamW and its schedule in the form of Lightning's ``configure_optimizers``.

    Args:
        parameters: The weights to train.
        learning_rate: Peak learning rate, after the warm-up. It decays to 0 at ``total_steps``.
        warmup_steps: Steps of the linear warm-up.
        total_steps: Steps until the learning rate is 0.
        betas: Decay rates of the running averages.
        weight_decay: Decoupled weight decay. Vectors (gains, biases) do not decay.
    """
    trained = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1 and p.numel() > max(p.shape)], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1 or p.numel() == max(p.shape)], "weight_decay": 0.0},
    ]
    optimizer = AdamW([g for g in groups if g["params"]], lr=learning_rate, betas=betas, fused=True)
    return _scheduled(optimizer, warmup_steps, total_steps)


def muon(
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    matrix_learning_rate: float,
    warmup_steps: int,
    total_steps: int,
    betas: tuple[float, float],
    weight_decay: float,
    cuda_graphs: bool = False,
) -> dict[str, Any]:
    """Return `Muon` and its schedule in the form of Lightning's ``configure_optimizers``.

    Args:
        parameters: The weights to train.
        learning_rate: Peak learning rate of all weights that are not matrices.
        matrix_learning_rate: Peak learning rate of the matrices.
        warmup_steps: Steps of the linear warm-up.
        total_steps: Steps until both learning rates are 0.
        betas: Decay rates of AdamW's running averages, for the weights that are not matrices.
        weight_decay: Decoupled weight decay of the matrices.
        cuda_graphs: See `Muon`.
    """
    optimizer = Muon(parameters, learning_rate, matrix_learning_rate, betas, weight_decay, cuda_graphs)
    return _scheduled(optimizer, warmup_steps, total_steps)


def _scheduled(optimizer: torch.optim.Optimizer, warmup_steps: int, total_steps: int) -> dict[str, Any]:
    schedule = WarmupCosine(optimizer, warmup_steps, total_steps)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class AdamW(torch.optim.AdamW):
    """AdamW that loads its running averages from a checkpoint but keeps its own settings."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the running averages only. Learning rate, betas and weight decay keep the values of the constructor."""
        settings = [{k: v for k, v in group.items() if k != "params"} for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, own in zip(self.param_groups, settings, strict=True):
            group.update(own)


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
