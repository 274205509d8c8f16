"""Where a model fails: its figures by class, speed, size and place, with intervals over clips."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trajvq.metrics.details import ClipDetails
from trajvq.metrics.intervals import Interval, bootstrap

BINS = 4  # groups with as many clips each
CELLS = 8  # rows and columns of the map of places
UNITS = {"speed": "px a frame", "radius": "px"}


@dataclass(frozen=True)
class Group:
    """Clips that have something in common: what, how many, and their figure."""

    name: str
    clips: int
    figure: Interval


def groups(details: ClipDetails, figure: str, fact: str) -> list[Group]:
    """Return the mean of a figure for clips sorted by a fact: a group a class, or a quarter of the clips each.

    Args:
        details: Of a split.
        figure: One of its figures.
        fact: One of its facts; ``label`` and ``answer`` are classes.
    """
    value, known = details.by_clip(figure), details.by_clip(fact)
    found = []
    for name, rows in _sorted(details, fact, known):
        clips = value[rows & np.isfinite(value)]
        if len(clips):
            found.append(Group(name, len(clips), bootstrap(clips)))
    return found


def _sorted(details: ClipDetails, fact: str, known: NDArray[np.float64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    if fact in ("label", "answer"):
        for k, name in enumerate(details.classes):
            yield name, known == k
        return
    edges = np.unique(np.nanquantile(known, np.linspace(0, 1, BINS + 1)))
    for k, (low, high) in enumerate(pairwise(edges)):
        last = k == len(edges) - 2
        yield f"{low:.2f} to {high:.2f}", (known >= low) & ((known <= high) if last else (known < high))


def by_place(details: ClipDetails, figure: str, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the mean of a figure over the frame ``(8, 8)``, where the object truly is; NaN where it never is.

    Args:
        details: With the facts ``x`` and ``y``, ``(N, T)``.
        figure: ``(N, T)``, or ``(N,)`` for whole clips.
        size: Height and width of the frame, px.
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
