"""TrajectoryDataModule: a dataset folder as Lightning dataloaders."""

from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torch.utils.data import DataLoader

from trajvq.data.order import Batching, Share, TrainingOrder
from trajvq.data.storage.clips import Clips, ClipSource, FirstClips, batch_loader
from trajvq.data.storage.manifest import MANIFEST, Manifest, read_manifest
from trajvq.data.storage.remote import fetch_dataset
from trajvq.data.synthetic.generate import generate
from trajvq.errors import DataError
from trajvq.io.urls import check_url, is_remote
from trajvq.io.video import to_float

DEFAULT = Path("datasets/default")
Batch = dict[str, Tensor]


class TrajectoryDataModule(L.LightningDataModule):
    """Clips of a dataset folder in batches.

    A batch is a dictionary: ``video`` float32 ``(B, 3, T, H, W)`` in [0, 1] and the other columns of
    `trajvq.data.storage.clips.Clips`. The video is uint8 until it is on the device. The order of the training clips
    depends on ``seed`` alone, not on the number of workers, and a resumed run continues it, also with another number of
    processes or another batch size. For the trainer, a whole run of ``max_steps`` is one epoch.

    Args:
        path: Dataset folder, or its fsspec URL, from which the dataset is copied to the local cache first.
            The default dataset is generated if it is missing.
        batch_size: Clips per batch and device; all of them where there are fewer.
        eval_batch_size: Clips per batch and device in validation, test and prediction.
        num_workers: Loader processes. 0 loads in the training process, which is fastest on few cores.
        start_method: How loader processes start: fork, spawn or forkserver.
        seed: Seed of the order of the training clips.
        test_splits: Splits for ``test``, each once, with its own scoreboard. The default is ``test``.
        predict_split: Split for ``predict``.
        train_clips: Number of training clips to use, from the first on; all by default.

    Attributes:
        stored: If set, by a task before its loaders are created, batches of prediction hold ``video`` as it is stored,
            uint8 ``(B, T, 3, H, W)``, and of long or large clips fewer than ``eval_batch_size``.

    Raises:
        ValueError: If a number of clips is below 1.
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
        numbers = {"batch_size": batch_size, "eval_batch_size": eval_batch_size, "train_clips": train_clips}
        for name, number in numbers.items():
            if number is not None and number < 1:
                raise ValueError(f"data.{name} is {number}; it is at least 1")
        self.url = check_url(path) if is_remote(path) else None
        self.path = Path(path)  # for a URL, the local copy as soon as there is one
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.num_workers, self.start_method, self.seed = num_workers, start_method, seed
        self.test_splits, self.predict_split = list(dict.fromkeys(test_splits or ["test"])), predict_split
        self.train_clips, self.stored = train_clips, False
        self._clips: dict[str, Clips] = {}
        self._batching: Batching | None = None  # of the training run; at first the checkpoint's

    @property
    def manifest(self) -> Manifest:
        """The manifest of the dataset. For a URL, the dataset is downloaded first."""
        if self.url is not None and not self.path.is_dir():  # `prepare_data` runs in one process per machine
            self.path = fetch_dataset(self.url)
        return read_manifest(self.path)

    def prepare_data(self) -> None:
        if self.url is not None:
            self.path = fetch_dataset(self.url)
        elif self.path == DEFAULT and not (self.path / MANIFEST).exists():
            print(f"No dataset at {self.path}: generating the default dataset.")
            generate(self.path)

    def setup(self, stage: str) -> None:
        """Make the dataset available in every process.

        Raises:
            DataError: If the dataset lacks a split that training needs.
        """
        splits = self.manifest.splits
        missing = [split for split in ("train", "val") if split not in splits]
        if stage == "fit" and missing:
            raise DataError(
                f"{self.path} has no {' and no '.join(map(repr, missing))}, which training needs; it has: "
                f"{', '.join(splits)}. Generate or import more clips, or test a trained model on it with `trajvq test`"
            )

    def clips(self, split: str) -> Clips:
        """Return one split as a dataset.

        Raises:
            DataError: If the dataset does not have the split.
        """
        if split not in self._clips:
            self._clips[split] = Clips(self.path, split)
        return self._clips[split]

    def source(self, split: str, train: bool = False) -> ClipSource:
        """Return the clips of one split; in training, only the first ``train_clips``."""
        clips = self.clips(split)
        return FirstClips(clips, self.train_clips) if train and self.train_clips else clips

    def loader(self, split: str, train: bool = False) -> DataLoader[Any]:
        """Return a loader of one split: shuffled for a whole training run, or each clip once and in order.

        Raises:
            DataError: If the dataset does not have the split, or fewer training clips than there are processes.
        """
        clips = self.source(split, train)
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        if not train and len(clips) < world:
            raise DataError(f"{self.path} has {len(clips)} clips in split {split!r}, fewer than the {world} processes")
        order: dict[str, Any] = {"size": self.eval_batch_size, "sampler": Share(len(clips), world, rank)}
        if train:
            order = {"batch_sampler": self._training_order(len(clips), world, rank)}
        elif self.stored:
            order["size"] = self.clips(split).fitting(self.eval_batch_size)
        return batch_loader(
            clips,
            **order,
            num_workers=self.num_workers,
            multiprocessing_context=self.start_method if self.num_workers else None,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def _training_order(self, count: int, world: int, rank: int) -> TrainingOrder:
        size = min(self.batch_size, count // world)
        if size < 1:
            raise DataError(f"{self.path} has {count} training clips, fewer than the {world} processes")
        if size < self.batch_size:
            rank_zero_only(print)(f"batches of {size}: {self.path} has {count} training clips", flush=True)
        batching, start = Batching(world, size), 0
        batches = count // batching.clips
        if self.trainer:
            if self.trainer.max_steps < 1:
                raise DataError(f"set trainer.max_steps; one pass over {self.path} has {batches} batches")
            batches = self.trainer.max_steps * self.trainer.accumulate_grad_batches
            start = self.trainer.fit_loop.epoch_loop.batch_progress.total.ready
            batching = self._batching = self._resumed(batching, start)
        return TrainingOrder(count, batching, batches, start, self.seed, rank)

    def _resumed(self, batching: Batching, start: int) -> Batching:
        """Let the batches from number ``start`` on follow those of the checkpoint; print what differs from them."""
        before = self._batching
        if before is None or not start:
            return batching
        pairs = {"processes": (before.processes, batching.processes), "clips per batch": (before.clips, batching.clips)}
        differences = [f"{name} {old} -> {new}" for name, (old, new) in pairs.items() if old != new]
        if differences:
            rank_zero_only(print)(
                f"{', '.join(differences)}: the order of the clips goes on after the {before.position(start):,} read "
                "so far; random numbers and rounding differ from now on, so the run is not bit-identical to one that "
                "was not interrupted",
                flush=True,
            )
        return before.resumed_at(start, batching.processes, batching.batch_size)

    def state_dict(self) -> dict[str, int]:
        """Return what a run needs to go on with another number of processes; part of the checkpoint."""
        return {} if self._batching is None else self._batching._asdict()

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Take over the batching of a checkpoint."""
        self._batching = Batching(**state_dict)

    def train_dataloader(self) -> DataLoader[Any]:
        return self.loader("train", train=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return self.loader("val")

    def test_dataloader(self) -> list[DataLoader[Any]]:
        return [self.loader(split) for split in self.test_splits]

    def predict_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.predict_split)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        return batch if self.stored else batch | {"video": to_float(batch["video"])}
