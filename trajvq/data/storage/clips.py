"""One split of a dataset folder as a torch Dataset: any clip, at full speed, from any process."""

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
from trajvq.data.storage.shards import DAMAGED, DataError, first_line, open_shard, read_column, read_manifest

# Small columns are held in memory; text, camera and the like are read by whoever wants them.
COLUMNS = ("label", "pixel", "radius", "color", "occluded", "identifiable")


class Clips(Dataset[dict[str, Tensor]]):
    """Clips of one split, by index.

    An item holds ``video`` uint8 (T, 3, H, W), ``index`` int64 and, where the dataset has them,
    ``label``, ``pixel``, ``radius``, ``color``, ``occluded``, ``identifiable`` and
    ``background``, as in `trajvq.data.storage.shards.SCHEMA`.

    Shards are opened once in each process that reads, so the dataset can be sent to workers
    by fork, spawn or forkserver.

    Args:
        folder: The dataset folder.
        split: Name of a split.

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
                    found = f"{file['video'].dtype} {file['video'].shape[1:]}"
                    self.pictures = "background" in file and file["background"].ndim == 4
                except DAMAGED as error:
                    raise DataError(f"shard {folder / entry['file']} is damaged: {first_line(error)}") from None
            if found != f"uint8 {self.shape}":
                raise DataError(f"shard {folder / entry['file']} holds video {found}, not uint8 {self.shape}")
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
        """Return several clips as a batch: single reads, the fastest that HDF5 has, each straight to its place."""
        video = np.empty((len(indices), *self.shape), dtype=np.uint8)
        background = np.empty((len(indices), *self.shape[1:]), dtype=np.uint8) if self.pictures else None
        shards = np.searchsorted(self.ends, indices, side="right").tolist()
        for place, (index, shard) in enumerate(zip(indices, shards, strict=True)):
            row = index - self.starts[shard]
            try:
                columns = self._open(shard)
                if self.checksums is not None and self._direct[shard]:
                    read_chunk(columns["video"], row, video[place])
                else:
                    video[place] = columns["video"][row]
                if background is not None:
                    background[place] = columns["background"][row]
            except DAMAGED as error:
                raise DataError(f"{self._place(index, shard, row)} is damaged: {first_line(error)}") from None
            if self.checksums is not None and crc32(video[place].data) != self.checksums[index]:
                raise DataError(f"{self._place(index, shard, row)} is damaged: its pixels are not those of its crc32")
        rows = torch.tensor(indices)
        batch = {"video": torch.from_numpy(video), "index": rows}
        if background is not None:
            batch["background"] = torch.from_numpy(background)
        return batch | {name: column[rows] for name, column in self.columns.items()}

    def loader(self, size: int = 1, **options: Any) -> DataLoader[Any]:
        """Return a loader of whole batches, from the first clip to the last unless a sampler is given.

        Args:
            size: Clips a batch.
            options: Passed to `torch.utils.data.DataLoader`.
        """
        return batch_loader(self, size, **options)

    def _place(self, index: int, shard: int, row: int) -> str:
        path = self.folder / self.entries[shard]["file"]
        return f"clip {index} of split {self.split!r} (shard {path}, row {row})"

    def _open(self, shard: int) -> dict[str, h5py.Dataset]:
        if self._process != os.getpid():  # handles do not survive a fork
            self._shards, self._process = {}, os.getpid()
        if shard not in self._shards:
            file = open_shard(self.folder, self.entries[shard])
            names = ("video", "background") if self.pictures else ("video",)
            self._shards[shard] = {name: file[name] for name in names}
            self._direct[shard] = direct(file["video"])
        return self._shards[shard]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_shards": {}, "_process": -1}


class Batched(Protocol):
    """Clips that are read several at a time."""

    def __len__(self) -> int: ...

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return several clips as a batch."""
        ...


class First:
    """The first of some clips.

    Args:
        source: The clips.
        count: How many, where there are as many.
    """

    def __init__(self, source: Batched, count: int) -> None:
        self.source, self.count = source, min(count, len(source))

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return several clips as a batch."""
        return self.source.batch(indices)


def batch_loader(source: Batched, size: int = 1, **options: Any) -> DataLoader[Any]:
    """Return a loader that hands its lists of indices to `Batched.batch` as a whole.

    Args:
        source: The clips.
        size: Clips a batch.
        options: Passed to `torch.utils.data.DataLoader`.
    """
    return DataLoader(_Batches(source), batch_size=size, collate_fn=_as_it_is, **options)


class _Batches(Dataset[Any]):
    def __init__(self, source: Batched) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.source.batch([index])

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        return self.source.batch(indices)


def _as_it_is(batch: Any) -> Any:
    return batch
