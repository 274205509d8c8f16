"""Read videos from arrays, HDF5, video files and folders, one video at a time.

N videos, T frames, C colors (1 or 3), H rows, W columns. No format can run code from a file.
"""

import io
import os
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from trajvq.data.imports.arrays import collect_array, unreadable
from trajvq.data.imports.collection import Collection, Video
from trajvq.errors import DataError, first_line
from trajvq.io.arrays import Bytes

VIDEO_FILES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".gif")
FORMATS = f".npz, .npy, .h5, .hdf5, {', '.join(VIDEO_FILES)}, or a folder with a folder per class"
NAMES = ("videos", "video", "clips", "frames")
LABELS = ("labels", "label")
# What zipfile and the header reader of NumPy raise on damaged or hostile archives.
BROKEN_ARCHIVE = (
    *(OSError, EOFError, zipfile.BadZipFile, MemoryError, NotImplementedError, RuntimeError),
    *(AttributeError, KeyError, OverflowError, SyntaxError, TypeError, ValueError),
)


def read_collection(path: Path, axes: str | None = None) -> Collection:
    """Return the videos of a file or folder.

    Args:
        path: A file or folder of one of the `FORMATS`.
        axes: Order of the axes of an array, such as NTCHW, NCTHW, NTHWC, NTHW or TNHW; detected by default.

    Raises:
        DataError: If the path does not exist, has another format or cannot be read.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist")
    suffix = path.suffix.lower()
    if path.is_dir():
        return _read_folder(path)
    if suffix == ".npz":
        return _read_npz(path, axes)
    if suffix == ".npy":
        try:
            return collect_array(np.load(path, mmap_mode="r", allow_pickle=False), None, path, axes)
        except (OSError, ValueError, EOFError, OverflowError) as error:
            unreadable(path, "a readable .npy of plain numbers", error)
    if suffix in (".h5", ".hdf5"):
        return _read_hdf5(path, axes)
    if suffix in VIDEO_FILES:
        return Collection([Video(str(path), None, partial(decode, path, str(path)))], "a video file", None)
    raise DataError(f"{path}: {suffix or 'no ending'} is not known; known: {FORMATS}")


def _read_npz(path: Path, axes: str | None) -> Collection:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.infolist()}
        name = next((n for n in NAMES if n in sizes), None)
        if name is None:
            raise DataError(f"{path} has no array 'videos'; it has: {', '.join(sizes) or 'nothing'}")
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        if sizes[name] > memory:
            raise DataError(
                f"{path}: {name!r} of {sizes[name]:,} bytes does not fit into memory; save it as .npy or .h5"
            )
        label = next((n for n in LABELS if n in sizes), None)
        with np.load(path, allow_pickle=False) as content:
            videos, labels = content[name], content[label] if label else None
    except BROKEN_ARCHIVE as error:
        unreadable(path, "a readable .npz of plain arrays", error)
    return collect_array(videos, labels, path, axes)


def _read_hdf5(path: Path, axes: str | None) -> Collection:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        unreadable(path, "a readable HDF5 file", error)
    if "video_streams" in file:
        return _read_phyworld(file, path)
    name = next((n for n in NAMES if isinstance(file.get(n), h5py.Dataset)), None)
    if name is None:
        raise DataError(f"{path} has no dataset 'video' or 'video_streams'; it has: {', '.join(file) or 'nothing'}")
    label = next((n for n in LABELS if isinstance(file.get(n), h5py.Dataset)), None)
    try:
        is_text = label and h5py.check_string_dtype(file[label].dtype)
        labels = None if not label else file[label].asstr()[:].astype(str) if is_text else file[label][:]
        return collect_array(file[name], labels, path, axes)
    except (OSError, TypeError, ValueError, MemoryError) as error:
        unreadable(path, "a readable HDF5 file of plain numbers", error)


def _read_phyworld(file: h5py.File, path: Path) -> Collection:
    """Return the videos of a PhyWorld file (Kang et al., 2024): the bytes of an .mp4 per video, perhaps in groups."""
    videos: list[Video] = []

    def add(name: str, member: Any) -> None:
        if isinstance(member, h5py.Dataset):
            for row in range(len(member)):
                where = f"{path}, {name} {row}"
                videos.append(Video(where, None, partial(_decode_row, member, row, where)))

    streams = file["video_streams"]
    if isinstance(streams, h5py.Dataset):
        add("video_streams", streams)
    else:
        streams.visititems(add)
    if not videos:
        raise DataError(f"{path}: 'video_streams' holds no video")
    return Collection(videos, "PhyWorld's layout", None)


def _decode_row(streams: h5py.Dataset, row: int, where: str) -> Bytes:
    try:
        raw = streams[row]
        while isinstance(raw, np.ndarray) and raw.dtype == object:
            raw = raw.flat[0]
        stream = io.BytesIO(bytes(raw))
    except (OSError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"{where} cannot be read ({error})") from None
    return decode(stream, where)


def _read_folder(path: Path) -> Collection:
    files = sorted(f for f in path.rglob("*") if f.is_file() and f.suffix.lower() in VIDEO_FILES)
    if not files:
        raise DataError(f"{path} holds no video file; known: {', '.join(VIDEO_FILES)}, in a folder per class")
    labels = [str(f.relative_to(path).parts[0]) if f.parent != path else None for f in files]
    videos = [
        Video(str(file), label, partial(decode, file, str(file))) for file, label in zip(files, labels, strict=True)
    ]
    return Collection(videos, "video files", None)


def decode(source: Path | io.BytesIO, where: str) -> Bytes:
    """Decode a video file.

    Args:
        source: Path or content of the file.
        where: Name for messages.

    Returns:
        The frames, uint8 ``(T, H, W, 3)``.

    Raises:
        DataError: If the file is not a video or is damaged, or if PyAV is not installed.
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
        raise DataError(f"{where} is not a readable video ({first_line(error)})") from None
    if not frames:
        raise DataError(f"{where} holds no frame")
    if len({frame.shape for frame in frames}) > 1:
        raise DataError(f"{where} changes its size from frame to frame")
    return np.stack(frames)


def cut_clips(frames: Bytes, length: int) -> Iterator[Bytes]:
    """Cut a video into clips without overlap. Frames that are left at the end are dropped."""
    for first in range(0, len(frames) - length + 1, length):
        yield frames[first : first + length]
