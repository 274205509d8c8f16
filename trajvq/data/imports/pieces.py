"""Cut tracks where too much of them is missing, and into windows of some points."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.plurals import counted
from trajvq.data.imports.points import Track
from trajvq.io.arrays import Floats

GAP = 1.75  # usual steps between two points from which on a point is missing between them
LARGEST_GAP = 0.2  # share of a track's points that may be missing in one place; one point may be missing anyway
LEAST_POINTS = 4  # of a piece of a track that is cut


def cut_tracks(tracks: Sequence[Track], points: int | None, ledger: Ledger) -> tuple[list[Track], list[list[Track]]]:
    """Cut tracks at large gaps, and into windows.

    Args:
        tracks: Tracks of two points or more.
        points: Points of a window; None for pieces as long as the gaps allow.
        ledger: Takes what is cut, interpolated and left out.

    Returns:
        The tracks of which something is left, and the pieces of each.
    """
    filled: list[str] = []
    cut: list[str] = []
    lost: list[str] = []
    missing = short = between = spare = 0
    remaining, pieces = [], []
    for track in tracks:
        gaps = missing_points(track.time)
        parts = _between_gaps(gaps)
        if len(parts) > 1:
            cut.append(f"clip {track.name}")
            between += len(parts)
            short += sum(stop - start < LEAST_POINTS for start, stop in parts)
            parts = [(start, stop) for start, stop in parts if stop - start >= LEAST_POINTS]
        inside = sum(int(gaps[start : stop - 1].sum()) for start, stop in parts)
        filled += [f"clip {track.name}"] * (inside > 0)
        missing += inside
        if points is not None:
            spare += sum((stop - start) % points for start, stop in parts)
            parts = [(k, k + points) for start, stop in parts for k in range(start, stop - points + 1, points)]
        if not parts:
            lost.append(f"clip {track.name}")
            continue
        remaining.append(track)
        pieces.append([replace(track, time=track.time[a:b], position=track.position[a:b]) for a, b in parts])
    if filled:
        ledger.note(
            f"{counted(missing, 'missing point')} in {counted(len(filled), 'track')} interpolated, first in {filled[0]}"
        )
    if cut:
        ledger.note(
            f"{counted(len(cut), 'track')} cut where more than {LARGEST_GAP:.0%} is missing in one place, "
            f"first {cut[0]}"
        )
        ledger.leave_out("piece", f"shorter than {LEAST_POINTS} points", short)
        ledger.count("piece", between)
    if spare:
        ledger.note(f"{counted(spare, 'point')} at the ends of tracks left out: too few for {points}")
    ledger.leave_out("track", f"shorter than {points or LEAST_POINTS} points", len(lost), lost)
    return remaining, pieces


def missing_points(time: Floats) -> NDArray[np.int64]:
    """Return ``(P - 1,)``: how many points are missing between each of P points and the next, at the usual step."""
    steps = np.diff(time)
    typical = np.quantile(steps, 0.5, method="lower")  # a step that there is
    return np.where(steps > GAP * typical, np.rint(steps / typical) - 1, 0).astype(np.int64)


def _between_gaps(gaps: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return start and stop of the parts of a track, none of which has a gap that is too large for it."""
    whole, parts = [(0, len(gaps) + 1)], []
    while whole:
        start, stop = whole.pop()
        inside = gaps[start : stop - 1]
        largest = int(inside.max(initial=0))
        if largest > max(LARGEST_GAP * (stop - start + inside.sum()), 1):
            middle = start + int(inside.argmax()) + 1
            whole += [(middle, stop), (start, middle)]
        else:
            parts.append((start, stop))
    return parts
