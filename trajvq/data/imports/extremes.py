"""The range of the values of a video, without pixels that are stuck, flashes, and what one frame alone shows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats

STUCK = 4, 1e-5  # pixels of a frame, and share of them, that may be stuck at a low value, and as many at a high one
BLOCK = 512  # frames among which stuck pixels are searched, and up to twice as many at the end of a video
FLASHES = 0.01  # share of the frames of a video that may be flashes; one frame may be anyway
LEAST = 4  # frames of a video from which on some may be left out


class Extremes:
    """Measure the range of a video piece by piece.

    A pixel is stuck if it is among the few most extreme ones of a frame in most frames, and no neighbor is nearly so:
    an object moves, and its neighbors show it as well. A frame is a flash if it differs as a whole: its median is off
    that of the film by more than half the contrast of a frame. Memory does not depend on the length of a video, but for
    three numbers a frame.
    """

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._sides: dict[bool, list[tuple[NDArray[np.int64], Floats]]] = {True: [], False: []}  # a frame each
        self._bounds: dict[bool, list[float]] = {True: [], False: []}  # the highest (True) and lowest value of frames
        self._middles: list[float] = []

    def add(self, piece: NDArray[Any]) -> None:
        """Take the next frames, ``(t, H, W, C)``, stored values of any type."""
        if piece.shape[1:] != self._shape:
            self._close_block()
            self._shape = piece.shape[1:]
        values = piece.reshape(len(piece), -1)
        count, size = max(2 * self._stuck(), 1), values.shape[1]
        ordered = np.partition(values, (count - 1, size // 2, size - count), axis=1)
        for frame, ranks in zip(values, ordered, strict=True):
            self._middles.append(float(ranks[size // 2]))
            self._sides[True].append(_most_extreme(frame, count, ranks[size - count], True))
            self._sides[False].append(_most_extreme(frame, count, ranks[count - 1], False))
            if len(self._sides[True]) == 2 * BLOCK:
                self._close_block(BLOCK)

    def range(self) -> tuple[float, float]:
        """Return the lowest and the highest value of the frames so far, at least one."""
        self._close_block()
        low, high, middle = (np.array(v) for v in (self._bounds[False], self._bounds[True], self._middles))
        if len(middle) < LEAST:
            return float(low.min()), float(high.max())
        flash = np.abs(middle - np.median(middle)) > np.median(high - low) / 2
        if flash.sum() <= max(FLASHES * len(flash), 1):
            low, high = low[~flash], high[~flash]
        return _without_single_frames(low, high)

    def _stuck(self) -> int:
        """Return how many values of a frame may be stuck at each end."""
        height, width, colors = self._shape
        return int(min(max(STUCK[0], STUCK[1] * height * width) * colors, height * width * colors // 8))

    def _close_block(self, frames: int | None = None) -> None:
        """Find the stuck pixels of the first frames that are kept, all by default, and the bounds without them."""
        for side, kept in self._sides.items():
            block, self._sides[side] = kept[:frames], kept[len(kept[:frames]) :]
            if block:
                positions, values = np.stack([p for p, _ in block]), np.stack([v for _, v in block])
                usable = ~np.isin(positions, _stuck_positions(positions, self._stuck(), self._shape))
                first = usable.argmax(axis=1)  # of less than `2 * stuck` positions that are stuck, none fills a row
                self._bounds[side] += values[np.arange(len(values)), first].tolist()


def _most_extreme(
    frame: NDArray[Any], count: int, limit: Any, highest: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return positions and values of the most extreme of ``(V,)`` values, the most extreme one first.

    Args:
        frame: The values.
        count: How many to return.
        limit: The least extreme of them.
        highest: Whether high values are extreme, or low ones.
    """
    beyond = np.flatnonzero(frame > limit if highest else frame < limit)
    positions = np.append(beyond, np.flatnonzero(frame == limit)[: count - len(beyond)])
    values = frame[positions].astype(np.float64)
    order = np.argsort(-values if highest else values, kind="stable")
    return positions[order], values[order]


def _stuck_positions(positions: NDArray[np.int64], count: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return which positions are extreme in most frames, without a neighbor that is.

    Args:
        positions: ``(t, L)`` of the most extreme values of each frame, the most extreme one first.
        count: How many of a frame may be stuck; a neighbor may be any of the L.
        shape: H, W and C of a frame.
    """
    stuck, bright = _in_most_frames(positions[:, :count]), _in_most_frames(positions)
    row, column = map(np.subtract.outer, _pixel(stuck, shape), _pixel(bright, shape))
    near: NDArray[np.bool_] = (np.abs(row) <= 1) & (np.abs(column) <= 1) & ((row != 0) | (column != 0))
    return stuck[~near.any(axis=1)]


def _pixel(positions: NDArray[np.int64], shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns of positions in a frame of H, W and C."""
    pixels = positions // shape[2]
    return pixels // shape[1], pixels % shape[1]


def _in_most_frames(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    different, counts = np.unique(positions, return_counts=True)
    return different[(counts > len(positions) / 2) & (counts > 1)]


def _without_single_frames(low: Floats, high: Floats) -> tuple[float, float]:
    """Return the range of frames, without values far out that no two frames in a row have, such as cosmic rays.

    Args:
        low: ``(T,)`` lowest values of at least two frames.
        high: ``(T,)`` highest values.
    """
    least, most = float(np.maximum(low[1:], low[:-1]).min()), float(np.minimum(high[1:], high[:-1]).max())
    contrast = most - least
    return float(low[low >= least - contrast].min()), float(high[high <= most + contrast].max())
