"""StepSeeds: the randomness of a training step depends on the seed, the step and the process alone."""

import random
from typing import Any

import lightning as L
import numpy as np
import torch


class StepSeeds(L.Callback):
    """Seeds torch, NumPy and Python anew before each training batch.

    So a run that is continued draws what it would have drawn, whatever happened in between, without any
    state of a generator in its checkpoint; and processes draw differently.

    Args:
        seed: The run's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        mixed = np.random.SeedSequence((self.seed, batch_idx, trainer.global_rank)).generate_state(2)
        torch.manual_seed(int(mixed[0]) << 32 | int(mixed[1]))
        np.random.seed(mixed[0])  # noqa: NPY002
        random.seed(int(mixed[1]))
