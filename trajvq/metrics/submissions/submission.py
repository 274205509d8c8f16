"""Submission: a file of clips of any program, one for each clip of a split, and perhaps their tokens."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajvq.data.imports.choice import unused_note
from trajvq.data.imports.collection import Video
from trajvq.data.imports.levels import Levels
from trajvq.data.imports.readers import read_collection
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import DAMAGED
from trajvq.errors import DataError, first_line
from trajvq.io.arrays import Bytes
from trajvq.io.video import array_to_uint8, to_float
from trajvq.metrics.submissions.tokens import SubmittedTokens, read_tokens

BATCH = 10  # clips scored at once, so that they stay in the processor's cache
EXTRA = ("index", "indices", "codebook_size")  # arrays that a file may have beside its clips
EXCESS = 0.5  # by which single values of a network's output may leave [0, 1]
ROUNDING = 0.05  # by which any number of them may
MOST_BEYOND = 0.05  # share of the values of a piece of a clip that may lie further outside


class ClampedLevels(Levels):
    """Convert floats of a network's output: values a little beyond [0, 1] are clamped and counted."""

    def __init__(self) -> None:
        super().__init__()
        self.values, self.clamped, self.least, self.most = 0, 0, 0.0, 1.0

    def convert(self, piece: NDArray[Any], name: str) -> Bytes:
        """Return a piece as uint8 ``(t, H, W, 3)``.

        Args:
            piece: Stored values ``(t, H, W, C)``, C is 1 or 3.
            name: Name of the clip, for messages.

        Raises:
            DataError: If the values are no pixels in [0, 1].
        """
        if piece.dtype.kind != "f" or not np.isfinite(piece).all():
            return super().convert(piece, name)
        least, most = float(piece.min()), float(piece.max())
        far = np.count_nonzero((piece < -ROUNDING) | (piece > 1 + ROUNDING)) if least < 0 or most > 1 else 0
        if least < -EXCESS or most > 1 + EXCESS or far > MOST_BEYOND * piece.size:
            raise DataError(f"{name} has values from {least:g} to {most:g}, not 0 to 1; {_remedy(least, most)}")
        self.values += piece.size
        if least < 0 or most > 1:
            self.clamped += int(np.count_nonzero((piece < 0) | (piece > 1)))
            self.least, self.most = min(self.least, least), max(self.most, most)
        return super().convert(array_to_uint8(piece.clip(0, 1)), name)

    def remarks(self) -> list[str]:
        """Return what was clamped, in one line; nothing if all values fit."""
        if not self.clamped:
            return []
        share = f"{self.clamped / self.values:.2%} of the values"
        return [f"video: {share}, from {self.least:g} to {self.most:g}, lie beyond [0, 1] and are clamped"]


def _remedy(least: float, most: float) -> str:
    if most <= 1 + EXCESS:
        return "give (video + 1) / 2 if its range is -1 to 1"
    return "divide by 255, or give uint8" if least >= -EXCESS else "scale it to 0 to 1, or give uint8"


class Submission:
    """A file of clips, one for each clip of a split: ``video``, perhaps ``index``, ``indices``, ``codebook_size``.

    Attributes:
        tokens: The tokens of the clips in the order of the split; None if the file has none.

    Args:
        path: ``.npz`` or ``.h5``.
        clips: The split. Clip k of the file belongs to clip ``index[k]`` of the split; without ``index``, to clip k.

    Raises:
        DataError: If the file cannot be read or does not have every clip exactly once.
    """

    def __init__(self, path: Path, clips: Clips) -> None:
        self.path, self.clips, self.levels = path, clips, ClampedLevels()
        videos, self.assumed = read_videos(path, self.levels, len(clips))
        extra = _extra(path)
        order = np.asarray(extra.get("index", np.arange(len(videos)))).reshape(-1)
        if len(videos) != len(clips):
            raise DataError(
                f"{path} holds {len(videos)} clips for the {len(clips)} of split {clips.split!r} of {clips.folder}; "
                "give every clip once"
            )
        if len(order) != len(clips) or not np.array_equal(np.sort(order), np.arange(len(clips))):
            raise DataError(
                f"{path}: 'index' is not a permutation of 0 to {len(clips) - 1}; give every clip once, "
                "in order or with the number of each in 'index'"
            )
        rows = np.argsort(order)
        self.videos: list[Video] = [videos[row] for row in rows]
        self.tokens: SubmittedTokens | None = read_tokens(extra, rows, clips.shape, path)

    def batches(self) -> Iterator[tuple[dict[str, Tensor], Tensor, Tensor | None]]:
        """Yield batches of the split, their clips in the file, float ``(B, 3, T, H, W)``, and their tokens."""
        for batch in self.clips.loader(BATCH):
            batch["video"] = to_float(batch["video"])
            rows = batch["index"].tolist()
            video = torch.from_numpy(self.clips_for(rows))
            tokens = None if self.tokens is None else torch.from_numpy(self.tokens.indices[rows])
            yield batch, to_float(video), tokens

    def clips_for(self, rows: list[int]) -> Bytes:
        """Return the file's clips for some clips of the split, uint8 ``(B, T, 3, H, W)``."""
        return np.stack([self.read(row) for row in rows]).transpose(0, 1, 4, 2, 3)

    def read(self, row: int) -> Bytes:
        """Return the file's clip for one clip of the split, uint8 ``(T, H, W, 3)``."""
        clip = self.videos[row].read()
        frames, _, height, width = self.clips.shape
        if clip.shape != (frames, height, width, 3):
            size = f"{len(clip)} frames of {clip.shape[2]}x{clip.shape[1]}"
            raise DataError(f"{self.path}: clips are {size}, but the split has {frames} of {width}x{height}")
        return clip

    def remarks(self) -> list[str]:
        """Return what was assumed and changed in reading the file, a line each."""
        return [*self.assumed, *([] if self.tokens is None else self.tokens.remarks), *self.levels.remarks()]


def read_videos(path: Path, levels: Levels, count: int = 0) -> tuple[list[Video], list[str]]:
    """Return the clips of a file, and what was assumed in reading it, a line each.

    Args:
        path: ``.npz`` or ``.h5``.
        levels: How stored values become pixels.
        count: Number of clips if it is known, which tells their axis; else clips come first.

    Raises:
        DataError: If the file has another format or cannot be read.
    """
    if path.suffix.lower() not in (".npz", ".h5", ".hdf5"):
        raise DataError(f"{path} is neither .npz nor .h5")
    source = read_collection(path, clips=count)
    unused = {name: shape for name, shape in source.unused.items() if name not in EXTRA}
    remarks = [f"video: {source.description}", *source.notes, unused_note(unused)]
    return [replace(video, levels=levels) for video in source.videos], [remark for remark in remarks if remark]


def _extra(path: Path) -> dict[str, Any]:
    """Read the arrays of `EXTRA` that a file has."""
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in EXTRA if name in arrays}
        with h5py.File(path, "r") as file:
            attributes = {name: file.attrs[name] for name in EXTRA if name in file.attrs}
            return attributes | {name: file[name][()] for name in EXTRA if name in file}
    except (*DAMAGED, ValueError) as error:  # ValueError: an array of Python objects
        raise DataError(f"{path} cannot be read ({first_line(error)})") from None
