"""Score reconstructions of any program against a dataset split, with the figures of the package's own models."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajvq.data.imports.collection import Video
from trajvq.data.imports.readers import read_collection
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import DAMAGED, read_column
from trajvq.data.synthetic.chart import PRESET as CHART
from trajvq.errors import DataError, first_line
from trajvq.io.arrays import Bytes
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.reconstruction.codes import linear_probe
from trajvq.metrics.reconstruction.scoreboard import scoreboard_for
from trajvq.metrics.reconstruction.truth import truth_of
from trajvq.metrics.submissions.chart import EyeChartFigures

BATCH = 50
CODE_WIDTH = 8  # channels of the random vector that represents a code in the probe
EXTRA = ("index", "indices", "codebook_size")  # arrays that a file may have beside its clips


class Submission:
    """A file of clips, one for each clip of a split: ``video``, perhaps ``index``, ``indices``, ``codebook_size``.

    Args:
        path: ``.npz`` or ``.h5``.
        clips: The split. Clip k of the file belongs to clip ``index[k]`` of the split; without ``index``, to clip k.

    Raises:
        DataError: If the file cannot be read or does not have every clip exactly once.
    """

    def __init__(self, path: Path, clips: Clips) -> None:
        if path.suffix.lower() not in (".npz", ".h5", ".hdf5"):
            raise DataError(f"{path} is neither .npz nor .h5")
        self.path, self.clips = path, clips
        videos = read_collection(path).videos
        extra = _extra(path)
        order = np.asarray(extra.get("index", np.arange(len(videos)))).reshape(-1)
        if len(order) != len(videos) or not np.array_equal(np.sort(order), np.arange(len(clips))):
            raise DataError(
                f"{path} holds {len(videos)} clips for the {len(clips)} of split {clips.split!r}; "
                "give every clip once, in order or with an array 'index'"
            )
        self.videos: list[Video] = [videos[row] for row in np.argsort(order)]
        self.indices: NDArray[np.int64] | None = None
        self.codebook_size: int | None = None
        if "indices" in extra:
            self._read_tokens(extra, np.argsort(order))

    def _read_tokens(self, extra: Mapping[str, Any], order: NDArray[np.int64]) -> None:
        """Set ``indices``, in the order of the split, and ``codebook_size``."""
        indices = np.asarray(extra["indices"])
        if "codebook_size" not in extra:
            raise DataError(f"{self.path} has 'indices' but no 'codebook_size'")
        size = int(np.asarray(extra["codebook_size"]).reshape(-1)[0])
        frames, _, height, width = self.clips.shape
        whole = indices.ndim == 4 and all(
            n > 0 and side % n == 0 for n, side in zip(indices.shape[1:], (frames, height, width), strict=True)
        )
        if indices.dtype.kind not in "iu" or len(indices) != len(order) or not whole:
            raise DataError(
                f"{self.path}: 'indices' are {indices.dtype} {indices.shape}, not whole numbers (N, t, h, w)"
            )
        if indices.min() < 0 or indices.max() >= size:
            raise DataError(f"{self.path}: 'indices' go from {indices.min()} to {indices.max()}, not 0 to {size - 1}")
        self.indices, self.codebook_size = indices[order].astype(np.int64), size

    @property
    def strides(self) -> tuple[int, int, int]:
        """Frames, rows and columns that a token covers."""
        if self.indices is None:
            return (1, 1, 1)
        frames, _, height, width = self.clips.shape
        t, h, w = self.indices.shape[1:]
        return (frames // t, height // h, width // w)

    def batches(self) -> Iterator[tuple[dict[str, Tensor], Tensor, Tensor | None]]:
        """Yield batches of the split, their clips in the file, float ``(B, 3, T, H, W)``, and their tokens."""
        for batch in self.clips.loader(BATCH):
            batch["video"] = to_float(batch["video"])
            rows = batch["index"].tolist()
            video = torch.from_numpy(self.clips_for(rows))
            tokens = None if self.indices is None else torch.from_numpy(self.indices[rows])
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


def _extra(path: Path) -> dict[str, Any]:
    """Read the arrays of `EXTRA` that a file has."""
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in EXTRA if name in arrays}
        with h5py.File(path, "r") as file:
            attributes = {name: file.attrs[name] for name in EXTRA if name in file.attrs}
            return attributes | {name: file[name][()] for name in EXTRA if name in file}
    except DAMAGED as error:
        raise DataError(f"{path} cannot be read ({first_line(error)})") from None


def score_reconstructions(path: Path, clips: Clips) -> dict[str, Any]:
    """Return the scoreboard of a file of reconstructions.

    Args:
        path: See `Submission`.
        clips: The split that was reconstructed. For an eye chart, the scoreboard has an `EyeChart` under ``"chart"``.
    """
    submission = Submission(path, clips)
    figures = scoreboard_for(clips, submission.codebook_size, submission.strides)
    chart = EyeChartFigures() if clips.manifest.preset == CHART else None
    for batch, video, tokens in submission.batches():
        figures.update(batch, video, tokens)
        if chart:
            chart.update(truth_of(batch), to_uint8(video))
    scoreboard = figures.compute()
    if chart:
        params = read_column(clips.folder, clips.manifest, clips.split, "params")
        assert params is not None
        scoreboard["chart"] = chart.compute(params[:, 0])
    indices, size = submission.indices, submission.codebook_size
    if indices is not None and size and "label" in clips.columns:
        scoreboard["rows"]["model"]["probe_accuracy"] = _probe(indices, size, clips.columns["label"])
    return scoreboard


def _probe(indices: NDArray[np.int64], size: int, label: Tensor) -> float:
    """Return the accuracy of a linear probe on random vectors of the codes, fitted on half of the clips."""
    table = torch.randn(size, CODE_WIDTH, generator=torch.Generator().manual_seed(0))
    codes = table[torch.from_numpy(indices)].flatten(1)
    half = torch.randperm(len(codes), generator=torch.Generator().manual_seed(0))
    train, test = half[: len(half) // 2], half[len(half) // 2 :]
    return linear_probe(codes[train], label[train], codes[test], label[test])
