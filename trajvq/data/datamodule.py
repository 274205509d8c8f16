"""TrajectoryDataModule: a dataset folder as Lightning dataloaders."""

from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from trajvq.data.order import Share, TrainingOrder
from trajvq.data.storage.clips import Batched, Clips, First, batch_loader
from trajvq.data.storage.remote import fetch_dataset
from trajvq.data.storage.shards import MANIFEST, DataError, Manifest, read_manifest
from trajvq.data.synthetic.generate import generate
from trajvq.io.urls import check_url, is_remote
from trajvq.io.video import to_float

DEFAULT = Path("datasets/default")
Batch = dict[str, Tensor]


class TrajectoryDataModule(L.LightningDataModule):
    """Clips of a dataset folder in batches; ``video`` stays uint8 until it is on the device.

    Batches are dictionaries: ``video`` float32 ``(B, 3, T, H, W)`` in [0, 1] and the other
    columns of `trajvq.data.storage.clips.Clips`. The order of the training clips depends on
    ``seed`` alone, whatever the number of workers, and goes on where a run broke off.
    For the trainer a whole run of ``max_steps`` is one epoch.

    Args:
        path: Dataset folder, or its fsspec URL, whose manifest and shards are copied to the local cache first.
            The default one is generated when it is not there.
        batch_size: Clips a batch and device.
        eval_batch_size: Clips a batch and device in validation, test and prediction.
        num_workers: Loader processes; 0 loads in the training process, the fastest on few cores.
        start_method: How loader processes start: fork, spawn or forkserver.
        seed: Seed of the order of the training clips.
        test_splits: Splits that ``test`` scores, each into a scoreboard of its own.
        predict_split: Split that ``predict`` runs on.
        train_clips: Train on the first so many clips only.
    """

    def __init__(
        self,
        path: str | Path = DEFAULT,
        batch_size: int = 8,
        eval_batch_size: int = 50,
        num_workers: int = 0,
        start_method: Literal["fork", "spawn", "forkserver"] = "fork",
        seed: int = 0,
        test_splits: list[str] | None = None,
        predict_split: str = "test",
        train_clips: int | None = None,
    ) -> None:
        super().__init__()
        self.url = check_url(path) if is_remote(path) else None
        self.path = Path(path)  # of a URL only once its local copy is there
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.num_workers, self.start_method, self.seed = num_workers, start_method, seed
        self.test_splits, self.predict_split = test_splits or ["test"], predict_split
        self.train_clips = train_clips
        self._clips: dict[str, Clips] = {}

    @property
    def manifest(self) -> Manifest:
        """The dataset's manifest; that of a URL is fetched with its shards."""
        if self.url is not None and not self.path.is_dir():  # only one process of a machine prepares
            self.path = fetch_dataset(self.url)
        return read_manifest(self.path)

    def prepare_data(self) -> None:
        if self.url is not None:
            self.path = fetch_dataset(self.url)
        elif self.path == DEFAULT and not (self.path / MANIFEST).exists():
            print(f"No dataset at {self.path}: generating the default one, once.")
            generate(self.path)

    def setup(self, stage: str) -> None:
        self.path = self.path if self.url is None else fetch_dataset(self.url)

    def clips(self, split: str) -> Clips:
        """Return one split as a dataset.

        Raises:
            DataError: If the dataset does not have it.
        """
        if split not in self._clips:
            self._clips[split] = Clips(self.path, split)
        return self._clips[split]

    def source(self, split: str, train: bool = False) -> Batched:
        """Return what the batches of one split are read from; in training perhaps its first clips only."""
        clips = self.clips(split)
        return First(clips, self.train_clips) if train and self.train_clips else clips

    def loader(self, split: str, train: bool = False) -> DataLoader[Any]:
        """Return a loader of one split: the whole of training, shuffled, or each clip once and in order.

        Raises:
            DataError: If the dataset does not have the split, or fewer training clips than a batch.
        """
        clips = self.source(split, train)
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        if not train and len(clips) < world:
            raise DataError(f"{self.path} has {len(clips)} clips in split {split!r}, fewer than the {world} processes")
        order: dict[str, Any] = {"size": self.eval_batch_size, "sampler": Share(len(clips), world, rank)}
        if train:
            order = {"batch_sampler": self._training_order(len(clips), world, rank)}
        return batch_loader(
            clips,
            **order,
            num_workers=self.num_workers,
            multiprocessing_context=self.start_method if self.num_workers else None,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def _training_order(self, count: int, world: int, rank: int) -> TrainingOrder:
        together = world * self.batch_size
        if count < together:
            raise DataError(f"{self.path} has {count} training clips, fewer than a batch of {together}")
        batches, start = count // together, 0
        if self.trainer:
            if self.trainer.max_steps < 1:
                raise DataError(f"runs stop by trainer.max_steps; a pass over {self.path} is {batches} batches")
            batches = self.trainer.max_steps * self.trainer.accumulate_grad_batches
            start = self.trainer.fit_loop.epoch_loop.batch_progress.total.ready
        return TrainingOrder(count, self.batch_size, batches, start, self.seed, world, rank)

    def train_dataloader(self) -> DataLoader[Any]:
        return self.loader("train", train=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return self.loader("val")

    def test_dataloader(self) -> list[DataLoader[Any]]:
        return [self.loader(split) for split in self.test_splits]

    def predict_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.predict_split)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        return batch | {"video": to_float(batch["video"])}
