"""ClipDetails: what ``test`` stores of single clips beside the scoreboard, for the report.

N clips of a split, K of them kept with their pixels, T frames.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trajvq.errors import DataError
from trajvq.io.files import whole_file

WORST, FIRST = 8, 4  # clips kept: the worst, and the first of the others
GROUPS = ("figures", "facts", "clips", "paths", "counts")
Array = NDArray[Any]


@dataclass
class ClipDetails:
    """Content of ``scoreboards/SPLIT.npz``.

    The report shows it for every task that adds it to its scoreboard as ``"details"``.

    Arrays of a group are stored as ``GROUP/NAME``, the others under their own name. A name that
    `trajvq.metrics.figures` does not describe is shown unchanged.

    Attributes:
        index: int64 ``(N,)``: number of each clip in its split, or among the samples.
        figures: float ``(N,)`` or ``(N, T)``: figures of each clip, NaN in frames that do not count. The first
            one ranks the clips; higher is worse.
        facts: ``(N,)`` or ``(N, T)``: properties of each clip. ``label`` and ``answer`` are classes, ``x`` and ``y``
            positions in px, ``speed`` is in px per frame, ``radius`` in px.
        kept: int64 ``(K,)``: rows of the kept clips, the worst first.
        clips: uint8 ``(K, T, 3, H, W)``: pixels of the kept clips, the target first where there is one.
        paths: float ``(K, T, 2)`` px to plot over kept clips, or ``(K, S, T, 2)`` for S samples or objects; NaN leaves
            a gap.
        counts: int64 ``(codes,)``: number of tokens of each code.
        classes: Names of the classes.
    """

    index: Array
    figures: dict[str, Array] = field(default_factory=dict)
    facts: dict[str, Array] = field(default_factory=dict)
    kept: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    clips: dict[str, Array] = field(default_factory=dict)
    paths: dict[str, Array] = field(default_factory=dict)
    counts: dict[str, Array] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write the file atomically."""
        arrays: dict[str, Any] = {
            "index": self.index,
            "kept": self.kept,
            "classes": np.array(self.classes, dtype="U"),
        }
        for group in GROUPS:
            arrays |= {f"{group}/{name}": value for name, value in getattr(self, group).items()}
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> "ClipDetails":
        """Read a file.

        Raises:
            DataError: If it is damaged or of an older version.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            details = cls(arrays.pop("index"), kept=arrays.pop("kept"), classes=arrays.pop("classes").tolist())
            for key, value in arrays.items():
                group, _, name = key.partition("/")
                getattr(details, group)[name] = value
        except (OSError, ValueError, KeyError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} cannot be read ({error}); run `trajvq test` again") from None
        return details

    def by_clip(self, name: str) -> Array:
        """Return a figure or fact as ``(N,)``: its mean over the frames in which it is not NaN, or NaN without any."""
        value = np.asarray({**self.facts, **self.figures}[name], dtype=np.float64)
        if value.ndim == 1:
            return value
        finite = np.isfinite(value)
        total = np.where(finite, value, 0.0).sum(axis=1)
        return np.where(finite.any(axis=1), total / np.maximum(finite.sum(axis=1), 1), np.nan)


def clips_to_keep(rank: Array, worst: int = WORST, first: int = FIRST) -> NDArray[np.int64]:
    """Return rows of the worst clips, the worst first, followed by the first of the other clips.

    Args:
        rank: ``(N,)``, higher is worse; NaN comes last.
        worst: Number of worst clips.
        first: Number of other clips.
    """
    order = np.argsort(-np.nan_to_num(rank, nan=-np.inf), kind="stable")[:worst]
    others = np.setdiff1d(np.arange(len(rank)), order)[:first]
    return np.concatenate([order, others]).astype(np.int64)


def clip_facts(columns: Mapping[str, Tensor], index: Array) -> dict[str, Array]:
    """Return ``label``, ``radius``, ``speed``, ``x`` and ``y`` of some clips, as far as the dataset stores them.

    Args:
        columns: Columns of the split, as in `trajvq.data.storage.clips.Clips`.
        index: int64 ``(N,)``: numbers of the clips.
    """
    facts: dict[str, Array] = {}
    if "label" in columns:
        facts["label"] = columns["label"].numpy()[index]
    stored = {name: columns[name].numpy()[index][:, :, 0] for name in ("radius", "pixel") if name in columns}
    if "radius" in stored:
        facts["radius"] = stored["radius"].mean(axis=1)
    if "pixel" in stored:
        facts["speed"] = np.linalg.norm(np.diff(stored["pixel"], axis=1), axis=-1).mean(axis=1)
        facts["x"], facts["y"] = stored["pixel"][..., 0], stored["pixel"][..., 1]
    return facts
