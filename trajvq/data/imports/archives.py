"""Read videos from .npz archives, those of Moving MNIST included."""

import os
import struct
import zipfile
import zlib
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np

from trajvq.data.imports.arrays import collect_array, unreadable
from trajvq.data.imports.choice import Shape, choose_array, label_name
from trajvq.data.imports.collection import Collection
from trajvq.errors import DataError

MOVING_MNIST = ("input_raw_data", "clips")  # arrays of the archives of Moving MNIST that video prediction uses
# What zipfile, its decompressors and the header reader of NumPy raise on damaged or hostile archives.
BROKEN_ARCHIVE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, struct.error, MemoryError, NotImplementedError, RuntimeError),
    *(AttributeError, KeyError, IndexError, OverflowError, SyntaxError, TypeError, ValueError),
)


def read_npz(path: Path, axes: str | None = None, array: str | None = None, clips: int | None = None) -> Collection:
    """Return the videos of an archive.

    Args:
        path: The archive.
        axes: Order of the axes; detected by default.
        array: Name of the array of videos; chosen by `trajvq.data.imports.choice.choose_array` by default.
        clips: As for `trajvq.data.imports.axes.order_of`.

    Raises:
        DataError: If it cannot be read, holds no videos or does not fit into memory.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            shapes = {
                entry.filename.removesuffix(".npy"): _array_shape(archive, entry)
                for entry in archive.infolist()
                if entry.filename.endswith(".npy")
            }
            moving_mnist = array is None and set(MOVING_MNIST) <= set(shapes)
            name, notes = (MOVING_MNIST[0], ()) if moving_mnist else choose_array(shapes, path, array)
            size = archive.getinfo(f"{name}.npy").file_size
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        if size > memory:
            raise DataError(f"{path}: {name!r} of {size:,} bytes does not fit into memory; save it as .npy or .h5")
        if moving_mnist:
            return _read_moving_mnist(path)
        label = label_name(shapes, name)
        with np.load(path, allow_pickle=False) as content:
            videos, labels = content[name], content[label] if label else None
    except BROKEN_ARCHIVE as error:
        unreadable(path, "a readable .npz of plain arrays", error)
    unused = {key: shape for key, shape in shapes.items() if key not in (name, label)}
    return replace(collect_array(videos, labels, path, axes, clips), notes=notes, unused=unused)


def _array_shape(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Shape:
    """Return the shape of an array in an archive, from its header.

    Raises:
        ValueError: If the header is of an unknown version, or promises more than the archive holds.
    """
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
    if not dtype.hasobject and prod(shape) * dtype.itemsize > entry.file_size:
        raise ValueError(f"{entry.filename} of shape {shape} has only {entry.file_size:,} bytes")
    return tuple(shape)


def _read_moving_mnist(path: Path) -> Collection:
    """Return the videos of an archive that holds the frames of all videos one after another.

    ``input_raw_data`` is ``(F, C, H, W)``. ``clips`` ``(2, N, 2)`` has the first frame and the number of frames of the
    input and of the continuation of each video.
    """
    with np.load(path, allow_pickle=False) as content:
        frames, clips = content["input_raw_data"], content["clips"]
    if clips.ndim != 3 or clips.shape[::2] != (2, 2) or clips.dtype.kind not in "iu" or frames.ndim != 4:
        raise ValueError(f"input_raw_data {frames.shape} and clips {clips.shape} are not those of Moving MNIST")
    (starts, counts), (next_starts, next_counts) = clips.astype(np.int64).transpose(0, 2, 1)
    length = counts + next_counts
    if (next_starts != starts + counts).any() or len(set(length.tolist())) != 1:
        raise ValueError("the frames of a video do not follow one another, or videos differ in length")
    if counts.min() < 0 or starts.min() < 0 or (starts + length).max() > len(frames):
        raise ValueError(f"clips lie outside the {len(frames)} frames")
    videos = frames[starts[:, None] + np.arange(length[0])]
    notes = (f"Moving MNIST's layout: {len(frames):,} frames in a row are {len(videos):,} videos of {length[0]}",)
    return replace(collect_array(videos, None, path, "NTCHW"), notes=notes)
