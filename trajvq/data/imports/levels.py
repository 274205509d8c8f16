"""How stored values become uint8: kept as they are, or scaled by the range of all videos of a source."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.extremes import Extremes
from trajvq.errors import DataError
from trajvq.io.arrays import Bytes
from trajvq.io.video import array_to_uint8

EXCESS = 0.05  # by which floats may leave [0, 1] before they count as another range: rounding, or a network's overshoot


class Levels:
    """Convert stored values to uint8, the same way for all videos of a source.

    uint8 is kept, and so are floats in [0, 1], which are multiplied by 255. Other integers and floats are scaled by the
    range that `set_range` has measured; without one they are an error.
    """

    def __init__(self) -> None:
        self.range: tuple[float, float] | None = None  # of stored values, which becomes 0 to 255
        self._types: set[str] = set()
        self._ranges: list[tuple[float, float]] = []  # of the videos
        self._least, self._most = np.inf, -np.inf

    def observe(self, pieces: Iterable[NDArray[Any]], name: str) -> None:
        """Measure the values of a video that `set_range` will take into account.

        Args:
            pieces: Consecutive frames of the video, ``(t, H, W, C)`` stored values.
            name: Name of the video, for messages.

        Raises:
            DataError: If a value is not a number, or the video cannot be read.
        """
        extremes, measured = Extremes(), False
        for piece in pieces:
            _check_finite(piece, name)
            self._types.add(piece.dtype.name)
            if piece.dtype != np.uint8:
                extremes.add(piece)
                measured = True
                self._least, self._most = min(self._least, float(piece.min())), max(self._most, float(piece.max()))
        if measured:
            self._ranges.append(extremes.range())

    def set_range(self, where: str) -> str:
        """Set the range from all observed values, and return what was decided, in one line; empty for uint8.

        The range is that of all videos, each without stuck pixels and flashes, so that these do not make everything
        else dark; see `trajvq.data.imports.extremes.Extremes`.

        Args:
            where: Name of the source, for messages.

        Raises:
            DataError: If the videos have several types, or all values are the same.
        """
        if len(self._types) > 1:
            raise DataError(
                f"{where}: videos are {' and '.join(sorted(self._types))}; give all of them in one type, "
                "so that one scale fits all"
            )
        if self._types <= {"uint8"}:
            return ""
        dtype = self._types.pop()
        if dtype.startswith("float") and self._least >= -EXCESS and self._most <= 1 + EXCESS:
            if self._least < 0 or self._most > 1:
                return f"values from {self._least:g} to {self._most:g} of {dtype} are clamped to [0, 1]"
            return ""
        low, high = min(low for low, _ in self._ranges), max(high for _, high in self._ranges)
        if low == high:
            low, high = self._least, self._most
        if low == high:
            raise DataError(f"{where}: all values of {dtype} are {low:g}; give videos that show something")
        self.range = low, high
        clamped = f"; stuck pixels, flashes and single frames from {self._least:g} to {self._most:g} are clamped"
        return f"values from {low:g} to {high:g} of {dtype} are scaled to 0 to 255, once for all videos" + (
            clamped if self._least < low or self._most > high else ""
        )

    def convert(self, piece: NDArray[Any], name: str) -> Bytes:
        """Return a piece as uint8 ``(t, H, W, 3)``; one color is repeated.

        Args:
            piece: ``(t, H, W, C)`` stored values, C is 1 or 3.
            name: Name of the video, for messages.

        Raises:
            DataError: If values are not finite, or need a range and none is set.
        """
        if piece.dtype != np.uint8:
            piece = self._scale(piece, name)
        return np.ascontiguousarray(np.broadcast_to(piece, (*piece.shape[:3], 3)))

    def _scale(self, piece: NDArray[Any], name: str) -> Bytes:
        _check_finite(piece, name)
        if self.range is not None:
            low, high = self.range
            share = (piece.astype(np.float64) - low) / (high - low)
            return array_to_uint8(share.clip(0, 1))
        if piece.dtype.kind != "f":
            raise DataError(f"{name} is {piece.dtype}, neither uint8 nor float in [0, 1]; convert it")
        if piece.min() < -EXCESS or piece.max() > 1 + EXCESS:
            raise DataError(
                f"{name} has values from {piece.min():g} to {piece.max():g}; scale floats to [0, 1] or give uint8"
            )
        return array_to_uint8(piece.clip(0, 1))


def _check_finite(piece: NDArray[Any], name: str) -> None:
    if piece.dtype.kind == "f" and not np.isfinite(piece).all():
        raise DataError(f"{name} holds NaN or infinity; fix or remove the video")
