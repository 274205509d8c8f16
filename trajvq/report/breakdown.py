"""Breakdowns: a figure by class, speed, size and position, with intervals over clips."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.details import ClipDetails
from trajvq.metrics.intervals import Interval, bootstrap

QUANTILES = 4  # groups of equal size that a continuous fact is split into
CELLS = 8  # rows and columns of the position map


@dataclass(frozen=True)
class Group:
    """Clips with a fact in common: its value or range, the number of clips, and their mean figure."""

    name: str
    clips: int
    figure: Interval


def groups(details: ClipDetails, figure: str, fact: str) -> list[Group]:
    """Return the mean of a figure for each group of clips: one group per class, or quarters of equal size.

    Args:
        details: Of a split.
        figure: One of its figures.
        fact: One of its facts; ``label`` and ``answer`` are classes.
    """
    value, facts = details.by_clip(figure), details.by_clip(fact)
    grouped = []
    for name, rows in _split(details, fact, facts):
        clips = value[rows & np.isfinite(value)]
        if len(clips):
            grouped.append(Group(name, len(clips), bootstrap(clips)))
    return grouped


def _split(details: ClipDetails, fact: str, facts: Floats) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the name and the rows of each group."""
    if fact in ("label", "answer"):
        for k, name in enumerate(details.classes):
            yield name, facts == k
        return
    edges = np.unique(np.nanquantile(facts, np.linspace(0, 1, QUANTILES + 1)))
    for k, (low, high) in enumerate(pairwise(edges)):
        last = k == len(edges) - 2
        yield f"{low:.2f} to {high:.2f}", (facts >= low) & ((facts <= high) if last else (facts < high))


def by_position(details: ClipDetails, figure: str, size: tuple[int, int]) -> Floats:
    """Return the mean of a figure over the true position of the object, ``(8, 8)``; NaN in cells without clips.

    Args:
        details: With the facts ``x`` and ``y``, ``(N, T)``.
        figure: Name of a figure, ``(N, T)``, or ``(N,)`` for whole clips.
        size: Height and width of a frame, px.
    """
    x, y = details.facts["x"], details.facts["y"]
    value = np.asarray(details.figures[figure], dtype=np.float64)
    value = np.broadcast_to(value[:, None] if value.ndim == 1 else value, x.shape)
    rows = np.isfinite(value) & np.isfinite(x) & np.isfinite(y)
    row = np.clip(y[rows] * CELLS / size[0], 0, CELLS - 1).astype(int)
    column = np.clip(x[rows] * CELLS / size[1], 0, CELLS - 1).astype(int)
    cell = row * CELLS + column
    count = np.bincount(cell, minlength=CELLS**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(cell, value[rows], CELLS**2) / count
    return np.asarray(mean.reshape(CELLS, CELLS))
