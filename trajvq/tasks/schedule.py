"""AdamW with linear warm-up and cosine decay, both counted in steps."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


def adamw(
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    warmup_steps: int,
    total_steps: int,
    betas: tuple[float, float],
    weight_decay: float,
) -> dict[str, Any]:
    """Return what ``configure_optimizers`` returns; vectors (gains, biases) are not decayed.

    Args:
        parameters: What is trained.
        learning_rate: The peak, reached after the warm-up; decays to 0 at ``total_steps``.
        warmup_steps: Steps of linear rise.
        total_steps: Steps until the rate is 0.
        betas: AdamW's running averages.
        weight_decay: AdamW's decoupled decay.
    """
    trained = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1 and p.numel() > max(p.shape)], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1 or p.numel() == max(p.shape)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=learning_rate, betas=betas, fused=True)

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        done = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
