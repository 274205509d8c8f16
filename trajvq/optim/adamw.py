"""AdamW with the settings of the run; and what it shares with Muon: a checkpoint does not change these settings."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


class KeepsSettings(torch.optim.Optimizer):
    """An optimizer that loads its running averages from a checkpoint but keeps its own settings."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the running averages only. Learning rate, betas and weight decay keep the values of the constructor."""
        settings = [{k: v for k, v in group.items() if k != "params"} for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, own in zip(self.param_groups, settings, strict=True):
            group.update(own)


class AdamW(KeepsSettings, torch.optim.AdamW):
    """AdamW whose weight decay leaves out vectors (gains, biases).

    Args:
        parameters: The weights to train.
        learning_rate: Learning rate.
        betas: Decay rates of the running averages.
        weight_decay: Decoupled weight decay.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, betas: tuple[float, float], weight_decay: float
    ) -> None:
        trained = [p for p in parameters if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1 and p.numel() > max(p.shape)], "weight_decay": weight_decay},
            {"params": [p for p in trained if p.ndim <= 1 or p.numel() == max(p.shape)], "weight_decay": 0.0},
        ]
        super().__init__([g for g in groups if g["params"]], lr=learning_rate, betas=betas, fused=True)
