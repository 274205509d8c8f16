"""Details of a split: what ``test`` keeps of single clips beside the scoreboard, for the report.

N clips of a split, K of them kept to look at, T frames.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trajvq.data.storage.shards import DataError
from trajvq.io.files import whole_file

WORST, FIRST = 8, 4  # clips kept: the worst, and the first of the split, whatever they are like
GROUPS = ("figures", "facts", "clips", "paths", "counts")
Array = NDArray[Any]


@dataclass
class ClipDetails:
    """Content of ``scoreboards/SPLIT.npz``: a task that puts one under ``"details"`` of a scoreboard is in the report.

    Names are free, and shown as they are. Arrays of groups are stored as ``GROUP/NAME``, the others under their name.

    Attributes:
        index: int64 ``(N,)``: number of each clip in its split, of a drawn one among those drawn.
        figures: float ``(N,)`` or ``(N, T)``: how good each clip is, NaN where nothing is charged. By the first, of
            which more is worse, clips are ranked.
        facts: ``(N,)`` or ``(N, T)``: what each clip is. ``label`` and ``answer`` are classes, ``x`` and ``y`` places
            in px, ``speed`` px a frame, ``radius`` px.
        shown: int64 ``(K,)``: which of the N are kept, the worst first.
        clips: uint8 ``(K, T, 3, H, W)``: the clips kept, the target first where there is one.
        paths: float ``(K, T, 2)`` px drawn over clips, or ``(K, S, T, 2)``, a fan of S guesses; NaN is not drawn.
        counts: int64 ``(codes,)``: how often each code is used.
        classes: Names of the classes.
    """

    index: Array
    figures: dict[str, Array] = field(default_factory=dict)
    facts: dict[str, Array] = field(default_factory=dict)
    shown: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    clips: dict[str, Array] = field(default_factory=dict)
    paths: dict[str, Array] = field(default_factory=dict)
    counts: dict[str, Array] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write the file whole or not at all."""
        arrays: dict[str, Any] = {
            "index": self.index,
            "shown": self.shown,
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
            DataError: If it is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as held:
                arrays = {name: held[name] for name in held.files}
            made = cls(arrays.pop("index"), shown=arrays.pop("shown"), classes=arrays.pop("classes").tolist())
            for name, value in arrays.items():
                group, _, rest = name.partition("/")
                getattr(made, group)[rest] = value
        except (OSError, ValueError, KeyError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} cannot be read ({error}); run `trajvq test` again") from None
        return made

    def by_clip(self, name: str) -> Array:
        """Return a figure or fact as ``(N,)``, the mean over the frames in which it is not NaN; NaN if it always is."""
        value = np.asarray({**self.facts, **self.figures}[name], dtype=np.float64)
        if value.ndim == 1:
            return value
        known = np.isfinite(value)
        total = np.where(known, value, 0.0).sum(axis=1)
        return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def clips_to_show(rank: Array, worst: int = WORST, first: int = FIRST) -> NDArray[np.int64]:
    """Choose what is kept: rows of the worst clips, the worst first, and then the first of the others.

    Args:
        rank: ``(N,)``, more is worse; NaN comes last.
        worst: How many of the worst.
        first: How many of the first.
    """
    order = np.argsort(-np.nan_to_num(rank, nan=-np.inf), kind="stable")[:worst]
    others = np.setdiff1d(np.arange(len(rank)), order)[:first]
    return np.concatenate([order, others]).astype(np.int64)


def clip_facts(columns: Mapping[str, Tensor], index: Array) -> dict[str, Array]:
    """Return what a dataset knows of some clips: ``label``, ``radius``, ``speed``, ``x`` and ``y``, where it does.

    Args:
        columns: Of the split, as in `trajvq.data.storage.clips.Clips`.
        index: int64 ``(N,)``.
    """
    found: dict[str, Array] = {}
    held = {name: columns[name].numpy()[index] for name in ("label", "radius", "pixel") if name in columns}
    if "label" in held:
        found["label"] = held["label"]
    if "radius" in held:
        found["radius"] = held["radius"].mean(axis=1)
    if "pixel" in held:
        found["speed"] = np.linalg.norm(np.diff(held["pixel"], axis=1), axis=-1).mean(axis=1)
        found["x"], found["y"] = held["pixel"][..., 0], held["pixel"][..., 1]
    return found
