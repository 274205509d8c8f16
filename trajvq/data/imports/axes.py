"""Detect the order of an array's axes from its shape and, where the shape leaves it open, from its pixels.

N videos, T frames, C colors (1 or 3), H rows, W columns.
"""

from pathlib import Path
from typing import Any

import numpy as np

from trajvq.errors import DataError

KNOWN = "NTCHW, NCTHW, NTHWC, NTHW, TNHW, for one video TCHW, THWC, THW, or another order of these letters"
COLORS = (1, 3)
SMALLEST, NARROWEST = 8, 8  # least pixels a side, and largest ratio of the sides, of frames that are not asked about
TALLEST = 2  # largest ratio of height to width of frames that are not asked about, unless colors come before them
SAMPLED = 12  # places along each of the first two axes that are compared
CLEARLY = 0.8  # largest ratio of changes along time to changes along the other axis that tells which is time
UNUSUALLY = 0.5  # the same, where it contradicts the usual order


def order_of(
    array: Any, axes: str | None, path: Path, labels: int | None = None, clips: int | None = None
) -> tuple[str, str]:
    """Return the order of the axes in letters, and a remark if it is a guess.

    Args:
        array: A NumPy array or an HDF5 dataset.
        axes: The order, if the user gave it.
        path: File of the array, for messages.
        labels: Number of labels, which tells the axis of videos; None without labels.
        clips: Number of videos if it is known, or 0 if they are known to come first; None if neither is.

    Raises:
        DataError: If the shape fits no order, or the given one, or several orders.
    """
    shape = tuple(array.shape)
    if 0 in shape:
        raise DataError(f"{path}: videos have shape {shape}, which holds nothing")
    order, remark = (axes.upper(), "") if axes else _detect(array, shape, path, labels, clips)
    if len(order) != len(shape) or not {"T", "H", "W"} <= set(order) <= set("NTCHW") or len(set(order)) < len(order):
        raise DataError(f"{path}: axes {order} do not fit videos of shape {shape}; known: {KNOWN}")
    if "C" in order and shape[order.index("C")] not in COLORS:
        raise DataError(f"{path}: videos of shape {shape} have {shape[order.index('C')]} colors, not 1 or 3")
    return order, remark


def _detect(array: Any, shape: tuple[int, ...], path: Path, labels: int | None, clips: int | None) -> tuple[str, str]:
    remark = ", one video"
    if len(shape) == 3:
        order = "THW"
    elif len(shape) == 4 and shape[3] in COLORS:
        order = "THWC"
    elif len(shape) == 4 and shape[1] in COLORS:
        order = "TCHW"
    elif len(shape) == 4 and shape[0] == 3:
        raise DataError(_question(path, shape, "CTHW for one video in color", "NTHW for 3 videos"))
    elif len(shape) == 4:
        _check_frames(shape, "NTHW", path)
        order, remark = _detect_time(array, "NTHW", path, labels, clips)
    elif len(shape) == 5:
        order = _colors_of_videos(shape, path)
        order, remark = (order, "") if order == "NCTHW" else _detect_time(array, order, path, labels, clips)
    else:
        raise DataError(f"{path}: videos have shape {shape}; expected the axes {KNOWN}")
    _check_frames(shape, order, path)
    if clips is None:
        _check_height(shape, order, path)
    return order, remark


def _colors_of_videos(shape: tuple[int, ...], path: Path) -> str:
    """Return the order of five axes, given the only place where colors can be."""
    orders = [order for order in ("NTCHW", "NCTHW", "NTHWC") if shape[order.index("C")] in COLORS]
    plausible = [order for order in orders if _likely_frame(*_frame(shape, order))]
    if not orders:
        raise DataError(
            f"{path}: videos have shape {shape}, without an axis of 1 or 3 colors (leave out transparency); "
            f"known: {KNOWN}"
        )
    if len(plausible) > 1:
        raise DataError(_question(path, shape, *plausible))
    return (plausible or orders)[0]


def _frame(shape: tuple[int, ...], order: str) -> tuple[int, int]:
    return shape[order.index("H")], shape[order.index("W")]


def _likely_frame(height: int, width: int) -> bool:
    return min(height, width) >= SMALLEST and max(height, width) <= NARROWEST * min(height, width)


def _check_frames(shape: tuple[int, ...], order: str, path: Path) -> None:
    """Check that frames are not too small or narrow for some.

    Raises:
        DataError: If they are.
    """
    height, width = _frame(shape, order)
    if not _likely_frame(height, width):
        raise DataError(
            f"{path}: videos of shape {shape} would have frames of {width}x{height} pixels; give the order of the axes "
            f"as --axes {order}, or as it is"
        )


def _check_height(shape: tuple[int, ...], order: str, path: Path) -> None:
    """Check that the axes before the last one of frames do not look like their sides, as where time comes last.

    Raises:
        DataError: If these would be square, or if frames are tall and narrow otherwise.
    """
    (height, width), row = _frame(shape, order), order.index("H")
    if order[row - 1] != "C" and (shape[row - 1] == height != width or height > TALLEST * width):
        words = f"{order} for frames of {width}x{height}", f"another order for frames of {height}x{shape[row - 1]}"
        raise DataError(_question(path, shape, *words))


def _question(path: Path, shape: tuple[int, ...], *orders: str) -> str:
    return f"{path}: videos of shape {shape} can be read in several ways; give --axes {', or '.join(orders)}"


def _detect_time(array: Any, order: str, path: Path, labels: int | None, clips: int | None) -> tuple[str, str]:
    """Return ``order``, which begins with NT, or the one that begins with TN.

    The number of videos or of their labels tells. If there is none, time is the axis along which neighboring pictures
    are more alike.
    """
    shape = array.shape
    swapped = "TN" + order[2:]
    if clips is not None:
        return (swapped, f", since there are {clips} clips") if shape[1] == clips != shape[0] else (order, "")
    if shape[0] == 1 or shape[1] == 1:
        return (order if shape[0] == 1 else swapped), ", one video"
    if labels in shape[:2] and shape[0] != shape[1]:
        return (order, "") if labels == shape[0] else (swapped, f", since there are {labels} labels")
    first, second = _changes(array)
    conventional = "C" in order  # five axes rarely begin with time
    if 0 < second < CLEARLY * first:  # 0 may be copies of one video as well as videos that stand still
        return order, "" if conventional else ", since pictures change less along the second axis"
    if conventional and not 0 < first < UNUSUALLY * second:
        return order, ""
    if not conventional and 0 < first < CLEARLY * second:
        return swapped, ", since pictures change less along the first axis"
    raise DataError(
        f"{path}: videos of shape {shape} may be {shape[0]} of {shape[1]} frames or {shape[1]} of {shape[0]}; "
        f"give --axes {order} or --axes {swapped}, or another order"
    )


def _changes(array: Any) -> tuple[float, float]:
    """Return the mean change from a picture to the next one along the first and along the second axis."""
    samples = [np.linspace(0, size - 2, min(SAMPLED, size - 1)).astype(int).tolist() for size in array.shape[:2]]
    changes = np.zeros(2)
    try:
        for i in samples[0]:
            for j in samples[1]:
                here, below, right = (np.asarray(array[k], dtype=float) for k in ((i, j), (i + 1, j), (i, j + 1)))
                changes += np.abs(below - here).mean(), np.abs(right - here).mean()
    except (OSError, MemoryError, TypeError, ValueError):  # reading the videos names what is wrong
        return 0.0, 0.0
    return float(changes[0]), float(changes[1])
