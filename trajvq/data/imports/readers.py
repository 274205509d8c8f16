"""Read videos from arrays, HDF5, video files, TIFF stacks and folders. No format can run code from a file.

N videos, T frames, C colors (1 or 3), H rows, W columns.
"""

import io
import os
import zipfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.arrays import collect_array, unreadable
from trajvq.data.imports.collection import Clock, Collection, Video
from trajvq.data.imports.folders import read_folder
from trajvq.data.imports.levels import Levels
from trajvq.data.imports.tiff import TIFF_FILES, tiff_video
from trajvq.data.imports.video_files import VIDEO_FILES, decode, video_file
from trajvq.errors import DataError

ENDINGS = (".npz", ".npy", ".h5", ".hdf5", *TIFF_FILES, *VIDEO_FILES)
FORMATS = f"{', '.join(ENDINGS)}, or a folder with a folder per class"
NAMES = ("videos", "video", "clips", "frames")
LABELS = ("labels", "label")
SMALLEST = 8  # pixels a side that tell an array of videos from a table
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
        return read_folder(path)
    if suffix == ".npz":
        return _read_npz(path, axes)
    if suffix == ".npy":
        try:
            return collect_array(np.load(path, mmap_mode="r", allow_pickle=False), None, path, axes)
        except (OSError, ValueError, EOFError, OverflowError) as error:
            unreadable(path, "a readable .npy of plain numbers", error)
    if suffix in (".h5", ".hdf5"):
        return _read_hdf5(path, axes)
    levels = Levels()
    if suffix in VIDEO_FILES:
        return Collection([video_file(path, str(path), levels)], "a video file", levels)
    if suffix in TIFF_FILES:
        return Collection([tiff_video([path], str(path), levels)], "a TIFF stack", levels)
    raise DataError(f"{path}: {suffix or 'no ending'} is not known; known: {FORMATS}")


def _choose_array(shapes: dict[str, tuple[int, ...]], path: Path) -> str:
    """Return the name of the array of videos.

    Raises:
        DataError: If none has the name and the shape of one.
    """
    for name in NAMES:
        if name in shapes and (name == NAMES[0] or _like_videos(shapes[name])):
            return name
    arrays = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    raise DataError(f"{path} has no array 'videos' or 'video'; it has: {arrays or 'nothing'}; rename the one to import")


def _like_videos(shape: Iterable[int]) -> bool:
    sides = tuple(shape)
    return len(sides) < 3 or sum(side >= SMALLEST for side in sides) >= 2


def _read_npz(path: Path, axes: str | None) -> Collection:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.infolist()}
            shapes = {name: _npy_shape(archive, name) for name in sizes if f"{name}.npy" in archive.namelist()}
        name = _choose_array(shapes, path)
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


def _npy_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """Return the shape of an array in an archive, from its header; that of a number if the header is a newer one."""
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            return tuple(np.lib.format.read_array_header_1_0(file)[0])
        return tuple(np.lib.format.read_array_header_2_0(file)[0]) if version == (2, 0) else ()


def _read_hdf5(path: Path, axes: str | None) -> Collection:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        unreadable(path, "a readable HDF5 file", error)
    if "video_streams" in file:
        return _read_phyworld(file, path)
    arrays = {name: item.shape for name in file if isinstance(item := file.get(name), h5py.Dataset)}
    name = _choose_array(arrays, path)
    label = next((n for n in LABELS if n in arrays), None)
    try:
        is_text = label and h5py.check_string_dtype(file[label].dtype)
        labels = None if not label else file[label].asstr()[:].astype(str) if is_text else file[label][:]
        return collect_array(file[name], labels, path, axes)
    except (OSError, TypeError, ValueError, MemoryError) as error:
        unreadable(path, "a readable HDF5 file of plain numbers", error)


def _read_phyworld(file: h5py.File, path: Path) -> Collection:
    """Return the videos of a PhyWorld file (Kang et al., 2024): the bytes of an .mp4 per video, perhaps in groups."""
    levels = Levels()
    videos: list[Video] = []

    def add(name: str, member: Any) -> None:
        if isinstance(member, h5py.Dataset):
            for row in range(len(member)):
                where, clock = f"{path}, {name} {row}", Clock()
                stored = partial(_decode_row, member, row, where, clock)
                videos.append(Video(where, None, stored, levels, dtype=np.dtype(np.uint8), clock=clock))

    streams = file["video_streams"]
    if isinstance(streams, h5py.Dataset):
        add("video_streams", streams)
    else:
        streams.visititems(add)
    if not videos:
        raise DataError(f"{path}: 'video_streams' holds no video")
    return Collection(videos, "PhyWorld's layout", levels)


def _decode_row(streams: h5py.Dataset, row: int, where: str, clock: Clock) -> Iterator[NDArray[Any]]:
    try:
        raw = streams[row]
        while isinstance(raw, np.ndarray) and raw.dtype == object:
            raw = raw.flat[0]
        stream = io.BytesIO(bytes(raw))
    except (OSError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"{where} cannot be read ({error})") from None
    yield from decode(stream, where, clock)
