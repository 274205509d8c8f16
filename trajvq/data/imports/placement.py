"""Where imported paths are: what rests, what is flat, and an origin that keeps small motion exact in float32.

N paths of T positions.
"""

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats

REST_SHARE = 1e-6  # of the longest path: what is shorter rests
REST_PRECISION = 2e-9  # of the coordinates: the same
FLAT_SHARE = 1e-6  # of a path's extent along x and y: with less along z it is flat
JUMP = 10  # usual speeds of a track from which on a step is a jump, if it crosses much of the path as well
JUMP_SHARE = 0.3  # of the path's extent
COARSE = 1e-4  # share of a path's extent that float32 may round away


def extents(position: Floats) -> Floats:
    """Return the longest side ``(N,)`` of the box around each path ``(N, T, 3)``."""
    return np.asarray(np.ptp(position, axis=1).max(axis=-1))


def at_rest(position: Floats) -> NDArray[np.bool_]:
    """Return which paths ``(N, T, 3)`` rest up to rounding."""
    extent, size = extents(position), np.abs(position).max(axis=(1, 2))
    return np.asarray(extent <= np.maximum(REST_SHARE * extent.max(), REST_PRECISION * size))


def are_flat(position: Floats) -> bool:
    """Return whether all paths ``(N, T, 3)`` keep their z, up to rounding."""
    plane = np.ptp(position[..., :2], axis=1).max(axis=-1)
    return bool((np.ptp(position[..., 2], axis=1) <= FLAT_SHARE * plane).all())


def count_jumps(time: Floats, position: Floats) -> int:
    """Return the number of steps that are much faster than the track's usual one, and cross much of its path.

    Placeholders for missing points, such as (0, 0) or (-999, -999), make such steps, as do errors of linking.

    Args:
        time: ``(P,)`` ascending.
        position: ``(P, 2)`` or ``(P, 3)``.
    """
    steps = np.linalg.norm(np.diff(position, axis=0), axis=1)
    speeds = steps / np.diff(time)
    if not speeds.any():
        return 0
    typical = np.median(speeds[speeds > 0])
    return int(((speeds > JUMP * typical) & (steps > JUMP_SHARE * np.ptp(position, axis=0).max())).sum())


def origins_of(position: Floats) -> Floats | None:
    """Return what to subtract before paths become float32, so that motion stays exact.

    Args:
        position: ``(N, T, 3)`` float64.

    Returns:
        One origin ``(3,)`` for all; an origin ``(N, 3)`` for each, where they are too far apart; or None if nothing
        need be subtracted.
    """
    if not _coarse(position):
        return None
    common: Floats = np.floor(position.min(axis=(0, 1)))
    own: Floats = np.floor(position.min(axis=1))
    return own if _coarse(position - common) else common


def _coarse(position: Floats) -> bool:
    """Return whether float32 rounds any path by more than a small share of its extent."""
    step = np.spacing(np.abs(position).max(axis=(1, 2)).astype(np.float32)).astype(np.float64)
    extent = extents(position)
    return bool((step > COARSE * extent)[extent > 0].any())
