"""Read other people's videos: arrays, HDF5, video files and folders, one video at a time.

N videos, T frames, C colors (1 or 3), H rows, W columns. Nothing here runs code from a file.
"""

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.shards import DataError
from trajvq.io.arrays import Bytes

VIDEO_FILES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".gif")
FORMATS = f".npz, .npy, .h5, .hdf5, {', '.join(VIDEO_FILES)}, or a folder with a folder per class"
NAMES = ("videos", "video", "clips", "frames")
LABELS = ("labels", "label")
# What zipfile and NumPy's reader of headers raise on damaged or hostile archives.
BROKEN_ARCHIVE = (
    *(OSError, EOFError, zipfile.BadZipFile, MemoryError, NotImplementedError, RuntimeError),
    *(AttributeError, KeyError, OverflowError, SyntaxError, TypeError, ValueError),
)


@dataclass(frozen=True)
class Video:
    """One video, read when it is asked for.

    Attributes:
        name: For messages.
        label: Class number or name, or None.
        read: Returns uint8 ``(T, H, W, 3)``.
    """

    name: str
    label: str | int | None
    read: Callable[[], Bytes]


@dataclass(frozen=True)
class Collection:
    """All videos of a source.

    Attributes:
        videos: The videos.
        found: What was detected, in words.
        frames: Frames each, where that is known to be the same for all.
    """

    videos: list[Video]
    found: str
    frames: int | None


def read_collection(path: Path, axes: str | None = None) -> Collection:
    """Find the videos of a file or folder.

    Args:
        path: A file or folder of `FORMATS`.
        axes: Order of an array's axes, such as NTCHW, NCTHW, NTHWC, NTHW or TNHW; detected by default.

    Raises:
        DataError: If there is nothing of that kind, or it cannot be read.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist")
    kind = path.suffix.lower()
    if path.is_dir():
        return _folder(path)
    if kind == ".npz":
        return _npz(path, axes)
    if kind == ".npy":
        try:
            return _arrays(np.load(path, mmap_mode="r", allow_pickle=False), None, path, axes)
        except (OSError, ValueError, EOFError, OverflowError) as error:
            _unreadable(path, "a readable .npy of plain numbers", error)
    if kind in (".h5", ".hdf5"):
        return _hdf5(path, axes)
    if kind in VIDEO_FILES:
        return Collection([Video(str(path), None, partial(decode, path, str(path)))], "a video file", None)
    raise DataError(f"{path}: {kind or 'no ending'} is not known; known: {FORMATS}")


def _unreadable(path: Path, what: str, error: Exception) -> NoReturn:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    raise DataError(f"{path} is not {what} ({reason})") from None


def _npz(path: Path, axes: str | None) -> Collection:
    try:
        with zipfile.ZipFile(path) as archive:
            held = {entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.infolist()}
        name = next((n for n in NAMES if n in held), None)
        if name is None:
            raise DataError(f"{path} has no array 'videos'; it has: {', '.join(held) or 'nothing'}")
        room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        if held[name] > room:
            raise DataError(
                f"{path}: {name!r} of {held[name]:,} bytes does not fit into memory; save it as .npy or .h5"
            )
        label = next((n for n in LABELS if n in held), None)
        with np.load(path, allow_pickle=False) as content:
            videos, labels = content[name], content[label] if label else None
    except BROKEN_ARCHIVE as error:
        _unreadable(path, "a readable .npz of plain arrays", error)
    return _arrays(videos, labels, path, axes)


def _hdf5(path: Path, axes: str | None) -> Collection:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        _unreadable(path, "a readable HDF5 file", error)
    if "video_streams" in file:
        return _phyworld(file, path)
    name = next((n for n in NAMES if isinstance(file.get(n), h5py.Dataset)), None)
    if name is None:
        raise DataError(f"{path} has no dataset 'video' or 'video_streams'; it has: {', '.join(file) or 'nothing'}")
    label = next((n for n in LABELS if isinstance(file.get(n), h5py.Dataset)), None)
    try:
        words = label and h5py.check_string_dtype(file[label].dtype)
        labels = None if not label else file[label].asstr()[:].astype(str) if words else file[label][:]
        return _arrays(file[name], labels, path, axes)
    except (OSError, TypeError, ValueError, MemoryError) as error:
        _unreadable(path, "a readable HDF5 file of plain numbers", error)


def _phyworld(file: h5py.File, path: Path) -> Collection:
    """PhyWorld's layout (Kang et al., 2024): the bytes of an .mp4 for every video, perhaps in groups."""
    videos: list[Video] = []

    def add(name: str, held: Any) -> None:
        if isinstance(held, h5py.Dataset):
            for row in range(len(held)):
                where = f"{path}, {name} {row}"
                videos.append(Video(where, None, partial(_decode_row, held, row, where)))

    streams = file["video_streams"]
    add("video_streams", streams) if isinstance(streams, h5py.Dataset) else streams.visititems(add)
    if not videos:
        raise DataError(f"{path}: 'video_streams' holds no video")
    return Collection(videos, "PhyWorld's layout", None)


def _decode_row(held: h5py.Dataset, row: int, where: str) -> Bytes:
    try:
        raw = held[row]
        while isinstance(raw, np.ndarray) and raw.dtype == object:
            raw = raw.flat[0]
        stream = io.BytesIO(bytes(raw))
    except (OSError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"{where} cannot be read ({error})") from None
    return decode(stream, where)


def _folder(path: Path) -> Collection:
    files = sorted(f for f in path.rglob("*") if f.is_file() and f.suffix.lower() in VIDEO_FILES)
    if not files:
        raise DataError(f"{path} holds no video file; known: {', '.join(VIDEO_FILES)}, in a folder per class")
    labels = [str(f.relative_to(path).parts[0]) if f.parent != path else None for f in files]
    videos = [
        Video(str(file), label, partial(decode, file, str(file))) for file, label in zip(files, labels, strict=True)
    ]
    return Collection(videos, "video files", None)


def decode(source: Path | io.BytesIO, where: str) -> Bytes:
    """Decode the frames of a video file, uint8 ``(T, H, W, 3)``.

    Raises:
        DataError: If it is no video, is damaged, or PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise DataError("video files need PyAV; install it with `pip install trajvq[import]`") from None
    frames = []
    try:
        with av.open(str(source) if isinstance(source, Path) else source, mode="r") as container:
            for frame in container.decode(video=0):
                frames.append(frame.to_ndarray(format="rgb24"))
    except (av.error.FFmpegError, IndexError, ValueError, OSError, MemoryError) as error:
        raise DataError(f"{where} is not a readable video ({str(error).splitlines()[0]})") from None
    if not frames:
        raise DataError(f"{where} holds no frame")
    if len({frame.shape for frame in frames}) > 1:
        raise DataError(f"{where} changes its size from frame to frame")
    return np.stack(frames)


def _detect(shape: tuple[int, ...], path: Path) -> tuple[str, str]:
    """Return the order of axes and a remark where it is a guess."""
    if len(shape) == 5:
        colors = [name for place, name in ((2, "NTCHW"), (1, "NCTHW"), (4, "NTHWC")) if shape[place] in (1, 3)]
        exact = [name for name in colors if shape[name.index("C")] == 3] or colors
        if exact:
            return exact[0], ", the first of several possible orders" if len(exact) > 1 else ""
    if len(shape) == 4:
        if shape[0] < shape[1]:
            return "TNHW", ", since there are fewer of the first axis"
        return "NTHW", ", since there are fewer of the second axis"
    raise DataError(f"{path}: videos have shape {shape}; expected the axes NTCHW, NCTHW, NTHWC, NTHW or TNHW")


def _arrays(held: Any, labels: NDArray[Any] | None, path: Path, axes: str | None) -> Collection:
    """Turn one array of all videos into a collection; `held` may be on disk."""
    shape, kind = tuple(held.shape), held.dtype
    if 0 in shape:
        raise DataError(f"{path}: videos have shape {shape}, which holds nothing")
    order, remark = (axes.upper(), "") if axes else _detect(shape, path)
    if (
        len(order) != len(shape)
        or not {"N", "T", "H", "W"} <= set(order) <= set("NTCHW")
        or len(set(order)) < len(order)
    ):
        raise DataError(f"{path}: axes {order} do not fit videos of shape {shape}")
    if "C" in order and shape[order.index("C")] not in (1, 3):
        raise DataError(f"{path}: videos of shape {shape} have {shape[order.index('C')]} colors, not 1 or 3")
    if kind != np.uint8 and kind.kind != "f":
        raise DataError(f"{path}: videos are {kind}, neither uint8 nor float in [0, 1]")
    count = shape[order.index("N")]
    names = _labels(labels, count, path)
    inner = order.replace("N", "")

    def read(number: int) -> Bytes:
        try:
            part = np.asarray(held[(slice(None),) * order.index("N") + (number,)])
        except (OSError, MemoryError) as error:
            _unreadable(path, f"readable at video {number}", error)
        if "C" not in inner:
            part = part[..., None]
        part = part.transpose(*((inner if "C" in inner else inner + "C").index(axis) for axis in "THWC"))
        if part.dtype != np.uint8:
            part = _as_bytes(part, number, path)
        return np.ascontiguousarray(np.broadcast_to(part, (*part.shape[:3], 3)))

    found = f"{'uint8' if kind == np.uint8 else f'{kind} in [0, 1]'} in order {_spelled(order)}{remark}"
    videos = [
        Video(f"{path}, video {number}", names[number] if names else None, partial(read, number))
        for number in range(count)
    ]
    return Collection(videos, found, shape[order.index("T")])


def _spelled(order: str) -> str:
    return "(" + ", ".join("3" if axis == "C" else axis for axis in order) + ")"


def _as_bytes(part: NDArray[Any], number: int, path: Path) -> Bytes:
    if not np.isfinite(part).all():
        raise DataError(f"{path}: clip {number} holds NaN or infinity; mend or leave out the clip")
    if part.min() < 0 or part.max() > 1:
        found = f"values from {part.min():g} to {part.max():g}"
        raise DataError(f"{path}: clip {number} has {found}; scale floats to [0, 1] or give uint8")
    return np.asarray(np.rint(part * 255).astype(np.uint8))


def _labels(labels: NDArray[Any] | None, count: int, path: Path) -> list[str | int] | None:
    if labels is None:
        return None
    if labels.shape != (count,):
        raise DataError(f"{path}: labels have shape {labels.shape}, not ({count},): one for every video")
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind not in "iuU":
        raise DataError(f"{path}: labels are {labels.dtype}; give whole numbers from 0 or words")
    return list(labels.tolist())


def class_names(labels: list[str | int | None], classes: list[str], where: str) -> NDArray[np.int64]:
    """Turn labels, numbers or names of a dataset's classes, into class ids.

    Raises:
        DataError: If one is missing or unknown.
    """
    ids = []
    for number, label in enumerate(labels):
        if isinstance(label, str) and label in classes:
            ids.append(classes.index(label))
        elif isinstance(label, int) and 0 <= label < len(classes):
            ids.append(label)
        else:
            raise DataError(f"{where}: clip {number} has label {label}; known: {', '.join(classes)}, or their numbers")
    return np.array(ids, dtype=np.int64)


def pieces(frames: Bytes, length: int) -> Iterator[Bytes]:
    """Cut a video into clips without overlap; a rest that is too short is left."""
    for first in range(0, len(frames) - length + 1, length):
        yield frames[first : first + length]
