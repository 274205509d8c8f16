"""Read the videos of one array, each a few frames at a time.

N videos, T frames, C colors (1 or 3), H rows, W columns.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.axes import order_of
from trajvq.data.imports.collection import Collection, Video, piece_frames
from trajvq.data.imports.labels import check_labels
from trajvq.data.imports.levels import Levels
from trajvq.errors import DataError, first_line


def unreadable(path: Path, what: str, error: Exception) -> NoReturn:
    """Raise the error for a file that cannot be read.

    Args:
        path: The file.
        what: What it should be.
        error: Why it cannot be read.
    """
    raise DataError(f"{path} is not {what} ({first_line(error)})") from None


def collect_array(
    array: Any, labels: NDArray[Any] | None, path: Path, axes: str | None, clips: int | None = None
) -> Collection:
    """Return the videos of one array.

    Args:
        array: Integers or floats; a NumPy array or an HDF5 dataset, read a few frames at a time.
        labels: ``(N,)`` labels, one for a single video, or None.
        path: File of the array, for messages.
        axes: Order of the axes, such as NTCHW; detected by default.
        clips: As for `trajvq.data.imports.axes.order_of`.

    Raises:
        DataError: If shape, type, axes or labels do not fit.
    """
    shape, dtype = tuple(array.shape), np.dtype(array.dtype)
    if dtype.kind not in "buif":
        raise DataError(f"{path}: videos are {dtype}, not integers or floats")
    labels = None if labels is None else np.atleast_1d(labels)  # one video may have a scalar
    order, remark = order_of(array, axes, path, None if labels is None else len(labels), clips)
    length, height, width = (shape[order.index(axis)] for axis in "THW")
    count = shape[order.index("N")] if "N" in order else 1
    names = [None] * count if labels is None else check_labels(labels, count, path)
    levels = Levels()
    videos = [
        Video(
            f"{path}, video {number}",
            label,
            partial(_read_pieces, array, number, order, path),
            levels,
            (length, height, width),
            np.dtype(np.uint8) if dtype.kind == "b" else dtype,
        )
        for number, label in enumerate(names)
    ]
    order_in_words = ", ".join(str(shape[order.index("C")]) if axis == "C" else axis for axis in order)
    return Collection(videos, f"{dtype} in order ({order_in_words}){remark}", levels, length)


def _read_pieces(array: Any, number: int, order: str, path: Path) -> Iterator[NDArray[Any]]:
    """Yield the frames of one video in pieces ``(t, H, W, C)``. True and False become 255 and 0."""
    sizes = dict(zip(order, array.shape, strict=True))
    step = piece_frames(sizes["H"] * sizes["W"] * sizes.get("C", 1) * array.dtype.itemsize)
    for start in range(0, sizes["T"], step):
        selection = {"N": number, "T": slice(start, start + step)}
        try:
            piece = np.asarray(array[tuple(selection.get(axis, slice(None)) for axis in order)])
        except (OSError, MemoryError) as error:
            unreadable(path, f"readable at video {number}", error)
        axes = order.replace("N", "")
        if "C" not in axes:
            piece, axes = piece[..., None], axes + "C"
        piece = piece.transpose(*(axes.index(axis) for axis in "THWC"))
        yield piece.astype(np.uint8) * 255 if piece.dtype.kind == "b" else piece
