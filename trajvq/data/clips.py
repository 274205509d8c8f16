"""One split of a dataset folder as a torch Dataset: any clip, at full speed, from any process."""

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from trajvq.data.store import DataError, open_shard, read_column, read_manifest

# Small columns are held in memory; text, camera and the like are read by whoever wants them.
COLUMNS = ("label", "pixel", "radius", "color", "occluded", "identifiable")


class Clips(Dataset[dict[str, Tensor]]):
    """Clips of one split, by index.

    An item holds ``video`` uint8 (T, 3, H, W), ``index`` int64 and, where the dataset has them,
    ``label``, ``pixel``, ``radius``, ``color``, ``occluded``, ``identifiable`` and
    ``background``, as in `trajvq.data.store.SCHEMA`.

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
        shape = (self.manifest.frames, 3, self.manifest.height, self.manifest.width)
        for entry in self.entries:
            with open_shard(folder, entry) as file:
                if file["video"].dtype != np.uint8 or file["video"].shape[1:] != shape:
                    found = f"{file['video'].dtype} {file['video'].shape[1:]}"
                    raise DataError(f"shard {folder / entry['file']} holds video {found}, not uint8 {shape}")
                self.pictures = "background" in file and file["background"].ndim == 4
        self.columns: dict[str, Tensor] = {}
        for name in COLUMNS if self.pictures else (*COLUMNS, "background"):
            array = read_column(folder, self.manifest, split, name)
            if array is not None:
                self.columns[name] = torch.from_numpy(array)
        self._files: dict[int, h5py.File] = {}
        self._process = -1

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        shard = int(np.searchsorted(self.ends, index, side="right"))
        file, row = self._open(shard), index - int(self.ends[shard]) + self.entries[shard]["clips"]
        try:
            item = {"video": torch.from_numpy(file["video"][row]), "index": torch.tensor(index)}
            if self.pictures:
                item["background"] = torch.from_numpy(file["background"][row])
        except OSError as error:
            where = f"clip {index} of split {self.split!r} (shard {self.folder / self.entries[shard]['file']}, row {row})"
            raise DataError(f"{where} is damaged: {error}") from None
        return item | {name: column[index] for name, column in self.columns.items()}

    def _open(self, shard: int) -> h5py.File:
        if self._process != os.getpid():  # handles do not survive a fork
            self._files, self._process = {}, os.getpid()
        if shard not in self._files:
            self._files[shard] = open_shard(self.folder, self.entries[shard])
        return self._files[shard]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_files": {}, "_process": -1}
