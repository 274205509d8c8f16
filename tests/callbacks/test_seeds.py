"""StepSeeds gives every step of a run its own random numbers."""

from pathlib import Path

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from trajvq.callbacks import StepSeeds


class Recorder(L.LightningModule):
    """Records a random number in each training step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.numbers: list[float] = []

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        self.numbers.append(float(torch.rand(())))
        return self.weight.square()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def numbers_of(folder: Path, seed: int) -> list[float]:
    recorder = Recorder()
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=3,
        callbacks=[StepSeeds(seed)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(recorder, DataLoader(TensorDataset(torch.zeros(4, 1)), batch_size=2))
    return recorder.numbers


def test_no_step_of_a_run_of_several_epochs_repeats_the_numbers_of_another(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        numbers = numbers_of(tmp_path, 0)
        assert len(set(numbers)) == len(numbers) == 6
        assert numbers == numbers_of(tmp_path, 0)
        assert not set(numbers) & set(numbers_of(tmp_path, 1))
