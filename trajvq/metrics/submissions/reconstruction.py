"""Score anyone's clips against a dataset split, by the same code as our own models'."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajvq.data.imports.readers import Video, read_collection
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import DAMAGED, DataError, first_line, read_column
from trajvq.data.synthetic.chart import PRESET as CHART
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.reconstruction.codes import linear_probe
from trajvq.metrics.reconstruction.metric import truth_of
from trajvq.metrics.scoreboard import ReconstructionScoreboard
from trajvq.metrics.submissions.chart import ChartReader

BATCH = 50
WIDTH = 8  # numbers that stand for a code in the probe of somebody else's tokens
EXTRA = ("index", "indices", "codebook_size")


class Submission:
    """Clips of any program: ``video`` and, if there are any, ``index``, ``indices`` and ``codebook_size``.

    Args:
        path: ``.npz`` or ``.h5``.
        clips: The split that they answer to; clip k of the file is clip ``index[k]`` of the split, or k.

    Raises:
        DataError: If the file cannot be read or does not answer every clip once.
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
            self._take_tokens(extra, np.argsort(order))

    def _take_tokens(self, extra: Mapping[str, Any], order: NDArray[np.int64]) -> None:
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
        """Yield batches of the split, the clips that answer them, float ``(B, 3, T, H, W)``, and their tokens."""
        for batch in self.clips.loader(BATCH):
            batch["video"] = to_float(batch["video"])
            rows = batch["index"].tolist()
            made = self.answers(rows)
            tokens = None if self.indices is None else torch.from_numpy(self.indices[rows])
            yield batch, to_float(torch.from_numpy(made)), tokens

    def answers(self, rows: list[int]) -> NDArray[np.uint8]:
        """Return the clips that answer some of the split, uint8 ``(B, T, 3, H, W)``."""
        return np.stack([self.read(row) for row in rows]).transpose(0, 1, 4, 2, 3)

    def read(self, row: int) -> NDArray[np.uint8]:
        """Return the clip that answers one of the split, uint8 ``(T, H, W, 3)``."""
        made = self.videos[row].read()
        frames, _, height, width = self.clips.shape
        if made.shape != (frames, height, width, 3):
            found = f"{len(made)} frames of {made.shape[2]}x{made.shape[1]}"
            raise DataError(f"{self.path}: clips are {found}, those of the split {frames} of {width}x{height}")
        return made


def _extra(path: Path) -> dict[str, Any]:
    """Read what a file holds beside its clips."""
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as held:
                return {name: held[name] for name in EXTRA if name in held}
        with h5py.File(path, "r") as file:
            found = {name: file[name][()] for name in EXTRA if name in file}
            return {**{name: file.attrs[name] for name in EXTRA if name in file.attrs}, **found}
    except DAMAGED as error:
        raise DataError(f"{path} cannot be read ({first_line(error)})") from None


def score_reconstructions(path: Path, clips: Clips) -> dict[str, Any]:
    """Return the scoreboard of a file of reconstructions.

    Args:
        path: See `Submission`.
        clips: The split that was reconstructed; of an eye chart, ``"chart"`` holds a `Chart`.
    """
    given = Submission(path, clips)
    board = ReconstructionScoreboard(given.codebook_size, given.strides)
    reader = ChartReader() if clips.manifest.preset == CHART else None
    for batch, made, tokens in given.batches():
        board.update(batch, made, tokens)
        if reader:
            reader.update(truth_of(batch), to_uint8(made))
    found = board.compute()
    if reader:
        params = read_column(clips.folder, clips.manifest, clips.split, "params")
        assert params is not None
        found["chart"] = reader.compute(params)
    if given.indices is not None and given.codebook_size and "label" in clips.columns:
        found["rows"]["model"]["probe_accuracy"] = _probe(given.indices, given.codebook_size, clips.columns["label"])
    return found


def _probe(indices: NDArray[np.int64], size: int, label: Tensor) -> float:
    """Probe tokens of an unknown codebook: every code a random direction; fitted on half of the clips."""
    table = torch.randn(size, WIDTH, generator=torch.Generator().manual_seed(0))
    codes = table[torch.from_numpy(indices)].flatten(1)
    half = torch.randperm(len(codes), generator=torch.Generator().manual_seed(0))
    train, test = half[: len(half) // 2], half[len(half) // 2 :]
    return linear_probe(codes[train], label[train], codes[test], label[test])
