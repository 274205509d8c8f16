"""One split of a dataset folder as a torch Dataset, for fast random access from any process."""

import os
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import torch
from isal.isal_zlib import crc32
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from trajvq.data.storage.chunks import direct, read_chunk
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.storage.shards import DAMAGED, open_shard, read_column
from trajvq.errors import DataError, first_line

# Small columns, kept in memory. `trajvq.data.storage.shards.read_column` reads the others.
COLUMNS = ("label", "pixel", "radius", "color", "occluded", "identifiable")
BATCH_PIXELS = 50 * 16 * 64 * 64  # of clips that are read at a time where memory must not grow with their size


class Clips(Dataset[dict[str, Tensor]]):
    """Clips of one split, by index.

    A clip is a dictionary: ``video`` uint8 ``(T, 3, H, W)``, ``index`` int64 and, if the dataset has them, ``label``,
    ``pixel``, ``radius``, ``color``, ``occluded``, ``identifiable`` and ``background``, as in
    `trajvq.data.storage.shards.SCHEMA`.

    Each process opens the shards for itself, so loader processes may start by fork, spawn or forkserver.

    Args:
        folder: The dataset folder.
        split: Name of the split.

    Raises:
        DataError: If the split does not exist or a shard is missing, truncated or damaged.
    """

    def __init__(self, folder: Path, split: str) -> None:
        self.folder, self.split = folder, split
        self.manifest = read_manifest(folder)
        if split not in self.manifest.splits:
            raise DataError(f"{folder} has no split {split!r}; it has: {', '.join(self.manifest.splits)}")
        self.entries = self.manifest.splits[split]
        self.ends = np.cumsum([entry["clips"] for entry in self.entries])
        self.starts: list[int] = [0, *self.ends[:-1].tolist()]
        self.shape = (self.manifest.frames, 3, self.manifest.height, self.manifest.width)
        for entry in self.entries:
            with open_shard(folder, entry) as file:
                try:
                    stored = f"{file['video'].dtype} {file['video'].shape[1:]}"
                    self.pictures = "background" in file and file["background"].ndim == 4
                except DAMAGED as error:
                    raise DataError(f"shard {folder / entry['file']} is damaged: {first_line(error)}") from None
            if stored != f"uint8 {self.shape}":
                raise DataError(f"shard {folder / entry['file']} holds video {stored}, not uint8 {self.shape}")
        self.columns: dict[str, Tensor] = {}
        for name in COLUMNS if self.pictures else (*COLUMNS, "background"):
            array = read_column(folder, self.manifest, split, name)
            if array is not None:
                self.columns[name] = torch.from_numpy(array)
        self.checksums = read_column(folder, self.manifest, split, "crc32")
        self._shards: dict[int, dict[str, h5py.Dataset]] = {}
        self._direct: dict[int, bool] = {}
        self._process = -1

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: value[0] for name, value in self.batch([index]).items()}

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return several clips as a batch. Each clip is one read, directly into the batch: HDF5's fastest access."""
        video = np.empty((len(indices), *self.shape), dtype=np.uint8)
        background = np.empty((len(indices), *self.shape[1:]), dtype=np.uint8) if self.pictures else None
        shards = np.searchsorted(self.ends, indices, side="right").tolist()
        for position, (index, shard) in enumerate(zip(indices, shards, strict=True)):
            row = index - self.starts[shard]
            try:
                columns = self._open(shard)
                if self.checksums is not None and self._direct[shard]:
                    read_chunk(columns["video"], row, video[position])
                else:
                    video[position] = columns["video"][row]
                if background is not None:
                    background[position] = columns["background"][row]
            except DAMAGED as error:
                raise DataError(f"{self._describe(index, shard, row)} is damaged: {first_line(error)}") from None
            if self.checksums is not None and crc32(video[position].data) != self.checksums[index]:
                raise DataError(f"{self._describe(index, shard, row)} is damaged: its pixels do not match its crc32")
        rows = torch.tensor(indices)
        batch = {"video": torch.from_numpy(video), "index": rows}
        if background is not None:
            batch["background"] = torch.from_numpy(background)
        return batch | {name: column[rows] for name, column in self.columns.items()}

    def fitting(self, most: int) -> int:
        """Return how many clips, at most so many and at least one, have up to `BATCH_PIXELS` pixels together."""
        frames, _, height, width = self.shape
        return min(most, max(BATCH_PIXELS // (frames * height * width), 1))

    def loader(self, size: int = 1, **options: Any) -> DataLoader[Any]:
        """Return a loader of batches, in the order of the clips unless the options contain a sampler.

        Args:
            size: Clips per batch.
            options: Options of `torch.utils.data.DataLoader`.
        """
        return batch_loader(self, size, **options)

    def _describe(self, index: int, shard: int, row: int) -> str:
        path = self.folder / self.entries[shard]["file"]
        return f"clip {index} of split {self.split!r} (shard {path}, row {row})"

    def _open(self, shard: int) -> dict[str, h5py.Dataset]:
        if self._process != os.getpid():  # HDF5 handles must not be used after a fork
            self._shards, self._process = {}, os.getpid()
        if shard not in self._shards:
            file = open_shard(self.folder, self.entries[shard])
            names = ("video", "background") if self.pictures else ("video",)
            self._shards[shard] = {name: file[name] for name in names}
            self._direct[shard] = direct(file["video"])
        return self._shards[shard]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_shards": {}, "_process": -1}


class ClipSource(Protocol):
    """Clips that are read in batches."""

    def __len__(self) -> int: ...

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return several clips as a batch."""
        ...


class FirstClips:
    """The first clips of a source.

    Args:
        source: The source.
        count: Number of clips; all clips of a smaller source.
    """

    def __init__(self, source: ClipSource, count: int) -> None:
        self.source, self.count = source, min(count, len(source))

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return several clips as a batch."""
        return self.source.batch(indices)


def batch_loader(source: ClipSource, size: int = 1, **options: Any) -> DataLoader[Any]:
    """Return a loader that reads each batch by one call of `ClipSource.batch`.

    Args:
        source: The clips.
        size: Clips per batch.
        options: Options of `torch.utils.data.DataLoader`.
    """
    return DataLoader(_Batches(source), batch_size=size, collate_fn=_identity, **options)


class _Batches(Dataset[Any]):
    def __init__(self, source: ClipSource) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        return self.source.batch(indices)


def _identity(batch: Any) -> Any:
    return batch
