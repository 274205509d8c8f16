"""Detect the order of an array's axes from its shape and, where the shape leaves it open, from its pixels.

N videos, T frames, C colors (1 or 3), H rows, W columns.
"""

from pathlib import Path
from typing import Any

import numpy as np

from trajvq.errors import DataError

KNOWN = "NTCHW, NCTHW, NTHWC, NTHW, TNHW, or for one video TCHW, THWC, THW"
SAMPLED = 12  # places along each of the first two axes that are compared
CLEARLY = 0.8  # largest ratio of changes along time to changes along the other axis that tells which is time


def order_of(array: Any, axes: str | None, path: Path) -> tuple[str, str]:
    """Return the order of the axes in letters, and a remark if it is a guess.

    Args:
        array: A NumPy array or an HDF5 dataset.
        axes: The order, if the user gave it.
        path: File of the array, for messages.

    Raises:
        DataError: If the shape fits no order, or the given one, or several orders.
    """
    shape = tuple(array.shape)
    if 0 in shape:
        raise DataError(f"{path}: videos have shape {shape}, which holds nothing")
    order, remark = (axes.upper(), "") if axes else _detect(array, shape, path)
    if len(order) != len(shape) or not {"T", "H", "W"} <= set(order) <= set("NTCHW") or len(set(order)) < len(order):
        raise DataError(f"{path}: axes {order} do not fit videos of shape {shape}; known: {KNOWN}")
    if "C" in order and shape[order.index("C")] not in (1, 3):
        raise DataError(f"{path}: videos of shape {shape} have {shape[order.index('C')]} colors, not 1 or 3")
    return order, remark


def _detect(array: Any, shape: tuple[int, ...], path: Path) -> tuple[str, str]:
    if len(shape) == 5:
        candidates = [order for axis, order in ((2, "NTCHW"), (1, "NCTHW"), (4, "NTHWC")) if shape[axis] in (1, 3)]
        exact = [order for order in candidates if shape[order.index("C")] == 3] or candidates
        if exact:
            return exact[0], ", the first of several possible orders" if len(exact) > 1 else ""
    if len(shape) == 3:
        return "THW", ", one video"
    if len(shape) == 4 and shape[3] in (1, 3):
        return "THWC", ", one video"
    if len(shape) == 4 and shape[1] in (1, 3):
        return "TCHW", ", one video"
    if len(shape) == 4:
        return _detect_time(array, shape, path)
    raise DataError(f"{path}: videos have shape {shape}; expected the axes {KNOWN}")


def _detect_time(array: Any, shape: tuple[int, ...], path: Path) -> tuple[str, str]:
    """Return which of the first two axes is time: the one along which neighboring pictures are more alike."""
    if shape[0] == 1 or shape[1] == 1:
        return ("NTHW" if shape[0] == 1 else "TNHW"), ", one video"
    first = np.linspace(0, shape[0] - 2, min(SAMPLED, shape[0] - 1)).astype(int)
    second = np.linspace(0, shape[1] - 2, min(SAMPLED, shape[1] - 1)).astype(int)
    along = np.zeros(2)
    try:
        for i in first.tolist():
            for j in second.tolist():
                here, below, right = (np.asarray(array[k], dtype=float) for k in ((i, j), (i + 1, j), (i, j + 1)))
                along += np.abs(below - here).mean(), np.abs(right - here).mean()
    except (OSError, MemoryError, TypeError, ValueError):  # reading the videos names what is wrong
        along[:] = 0
    if along.min() < CLEARLY * along.max():
        if along[0] < along[1]:
            return "TNHW", ", since pictures change less along the first axis"
        return "NTHW", ", since pictures change less along the second axis"
    raise DataError(
        f"{path}: videos of shape {shape} may be {shape[0]} of {shape[1]} frames or {shape[1]} of {shape[0]}; "
        "give --axes NTHW or --axes TNHW"
    )
