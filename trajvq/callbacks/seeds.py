"""StepSeeds: make the randomness of a training step a function of the seed, the step and the process."""

import random
from typing import Any

import lightning as L
import numpy as np
import torch


class StepSeeds(L.Callback):
    """Seed torch, NumPy and Python before each training batch.

    A continued run therefore repeats the random numbers of an uninterrupted one, although its checkpoint holds no
    state of a generator. Each process gets numbers of its own.

    Args:
        seed: Seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.fit_loop.total_batch_idx  # batch_idx starts anew in each epoch
        mixed = np.random.SeedSequence((self.seed, step, trainer.global_rank)).generate_state(2)
        torch.manual_seed(int(mixed[0]) << 32 | int(mixed[1]))
        np.random.seed(mixed[0])  # noqa: NPY002
        random.seed(int(mixed[1]))
