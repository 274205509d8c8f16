"""Read the videos of one array: detect the order of its axes, and convert each video on demand.

N videos, T frames, C colors (1 or 3), H rows, W columns.
"""

from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.collection import Collection, Video
from trajvq.data.imports.labels import check_labels
from trajvq.errors import DataError, first_line
from trajvq.io.arrays import Bytes
from trajvq.io.video import array_to_uint8


def unreadable(path: Path, what: str, error: Exception) -> NoReturn:
    """Raise the error for a file that cannot be read.

    Args:
        path: The file.
        what: What it should be.
        error: Why it cannot be read.
    """
    raise DataError(f"{path} is not {what} ({first_line(error)})") from None


def collect_array(array: Any, labels: NDArray[Any] | None, path: Path, axes: str | None) -> Collection:
    """Return the videos of one array.

    Args:
        array: uint8, or float in [0, 1]; a NumPy array or an HDF5 dataset, read one video at a time.
        labels: ``(N,)`` labels, or None.
        path: File of the array, for messages.
        axes: Order of the axes, such as NTCHW; detected by default.

    Raises:
        DataError: If shape, type, axes or labels do not fit.
    """
    shape, dtype = tuple(array.shape), array.dtype
    if 0 in shape:
        raise DataError(f"{path}: videos have shape {shape}, which holds nothing")
    order, remark = (axes.upper(), "") if axes else _detect_axes(shape, path)
    if (
        len(order) != len(shape)
        or not {"N", "T", "H", "W"} <= set(order) <= set("NTCHW")
        or len(set(order)) < len(order)
    ):
        raise DataError(f"{path}: axes {order} do not fit videos of shape {shape}")
    if "C" in order and shape[order.index("C")] not in (1, 3):
        raise DataError(f"{path}: videos of shape {shape} have {shape[order.index('C')]} colors, not 1 or 3")
    if dtype != np.uint8 and dtype.kind != "f":
        raise DataError(f"{path}: videos are {dtype}, neither uint8 nor float in [0, 1]")
    count = shape[order.index("N")]
    names = [None] * count if labels is None else check_labels(labels, count, path)
    videos = [
        Video(f"{path}, video {number}", label, partial(_read_video, array, number, order, path))
        for number, label in enumerate(names)
    ]
    values = "uint8" if dtype == np.uint8 else f"{dtype} in [0, 1]"
    spelled = ", ".join("3" if axis == "C" else axis for axis in order)
    return Collection(videos, f"{values} in order ({spelled}){remark}", shape[order.index("T")])


def _detect_axes(shape: tuple[int, ...], path: Path) -> tuple[str, str]:
    """Return the order of the axes, and a remark if it is a guess."""
    if len(shape) == 5:
        candidates = [order for axis, order in ((2, "NTCHW"), (1, "NCTHW"), (4, "NTHWC")) if shape[axis] in (1, 3)]
        exact = [order for order in candidates if shape[order.index("C")] == 3] or candidates
        if exact:
            return exact[0], ", the first of several possible orders" if len(exact) > 1 else ""
    if len(shape) == 4:
        if shape[0] < shape[1]:
            return "TNHW", ", since there are fewer of the first axis"
        return "NTHW", ", since there are fewer of the second axis"
    raise DataError(f"{path}: videos have shape {shape}; expected the axes NTCHW, NCTHW, NTHWC, NTHW or TNHW")


def _read_video(array: Any, number: int, order: str, path: Path) -> Bytes:
    try:
        video = np.asarray(array[(slice(None),) * order.index("N") + (number,)])
    except (OSError, MemoryError) as error:
        unreadable(path, f"readable at video {number}", error)
    axes = order.replace("N", "")
    if "C" not in axes:
        video, axes = video[..., None], axes + "C"
    video = video.transpose(*(axes.index(axis) for axis in "THWC"))
    if video.dtype != np.uint8:
        _check_floats(video, number, path)
        video = array_to_uint8(video)
    return np.ascontiguousarray(np.broadcast_to(video, (*video.shape[:3], 3)))


def _check_floats(video: NDArray[Any], number: int, path: Path) -> None:
    if not np.isfinite(video).all():
        raise DataError(f"{path}: clip {number} holds NaN or infinity; fix or remove the clip")
    if video.min() < 0 or video.max() > 1:
        raise DataError(
            f"{path}: clip {number} has values from {video.min():g} to {video.max():g}; "
            "scale floats to [0, 1] or give uint8"
        )
