"""Read videos from arrays, HDF5, video files, TIFF stacks and folders. No format can run code from a file."""

import io
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.archives import read_npz
from trajvq.data.imports.arrays import collect_array, unreadable
from trajvq.data.imports.choice import choose_array, label_name
from trajvq.data.imports.collection import Collection, Playback, Video
from trajvq.data.imports.folders import read_folder
from trajvq.data.imports.levels import Levels
from trajvq.data.imports.pictures import TIFF_FILES, picture_video
from trajvq.data.imports.video_files import VIDEO_FILES, decode, video_file
from trajvq.errors import DataError

ARRAYS = (".npz", ".npy", ".h5", ".hdf5")
ENDINGS = (*ARRAYS, *TIFF_FILES, *VIDEO_FILES)
FORMATS = f"{', '.join(ENDINGS)}, or a folder of them or of numbered pictures"
INFLATED = 10_000  # most bytes of an HDF5 dataset for each byte that is stored of it


def read_collection(
    path: Path,
    axes: str | None = None,
    array: str | None = None,
    rate: float | None = None,
    clips: int | None = None,
) -> Collection:
    """Return the videos of a file or folder.

    Args:
        path: A file or folder of one of the `FORMATS`.
        axes: Order of the axes of an array, such as NTCHW, NCTHW, NTHWC, NTHW or TNHW; detected by default.
        array: Name of the array of videos in an .npz or HDF5 file; chosen by default.
        rate: Frames per second to take of video files; None for all frames.
        clips: As for `trajvq.data.imports.axes.order_of`.

    Raises:
        DataError: If the path does not exist, has another format or cannot be read, or an option does not apply.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist")
    suffix = "" if path.is_dir() else path.suffix.lower()
    if array is not None and suffix not in (".npz", ".h5", ".hdf5"):
        raise DataError(f"{path} has no named arrays, so --array {array} does not apply; leave it out")
    if axes is not None and suffix not in ARRAYS:
        raise DataError(f"{path} is no array, so --axes {axes} does not apply; leave it out")
    if rate is not None and suffix in (".npz", ".npy", *TIFF_FILES):
        raise DataError(f"{path} does not say when its frames were taken, so --rate does not apply; leave it out")
    if path.is_dir():
        return read_folder(path, rate)
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder")
    if suffix == ".npz":
        return read_npz(path, axes, array, clips)
    if suffix == ".npy":
        try:
            return collect_array(np.load(path, mmap_mode="r", allow_pickle=False), None, path, axes)
        except (OSError, ValueError, EOFError, OverflowError) as error:
            unreadable(path, "a readable .npy of plain numbers", error)
    if suffix in (".h5", ".hdf5"):
        return _read_hdf5(path, axes, array, rate, clips)
    levels = Levels()
    if suffix in VIDEO_FILES:
        return Collection([video_file(path, str(path), levels, rate=rate)], "a video file", levels)
    if suffix in TIFF_FILES:
        return Collection([picture_video([path], str(path), levels)], "a TIFF stack", levels)
    raise DataError(f"{path}: {suffix or 'no ending'} is not known; known: {FORMATS}")


def _read_hdf5(path: Path, axes: str | None, array: str | None, rate: float | None, clips: int | None) -> Collection:
    try:
        file = h5py.File(path, "r")
        if array is None and "video_streams" in file:
            return _read_phyworld(file, path, rate)
        if rate is not None:
            raise DataError(f"{path} does not say when its frames were taken, so --rate does not apply; leave it out")
        shapes: dict[str, tuple[int, ...]] = {}

        def add(name: str, member: Any) -> None:
            if isinstance(member, h5py.Dataset):
                shapes[name] = member.shape or ()

        file.visititems(add)  # which follows no links, so that no other file is read
        name, notes = choose_array(shapes, path, array)
        videos, label = file[name], label_name(shapes, name)
        if videos.nbytes > INFLATED * videos.id.get_storage_size():
            raise ValueError(f"{name!r} of shape {videos.shape} has only {videos.id.get_storage_size():,} bytes")
        is_text = label and h5py.check_string_dtype(file[label].dtype)
        labels = None if not label else np.asarray(file[label].asstr()[()], str) if is_text else file[label][()]
        unused = {key: shape for key, shape in shapes.items() if key not in (name, label)}
        return replace(collect_array(videos, labels, path, axes, clips), notes=notes, unused=unused)
    except (OSError, TypeError, ValueError, KeyError, RuntimeError, MemoryError) as error:
        unreadable(path, "a readable HDF5 file of plain numbers", error)


def _read_phyworld(file: h5py.File, path: Path, rate: float | None) -> Collection:
    """Return the videos of a PhyWorld file (Kang et al., 2024): the bytes of an .mp4 per video, perhaps in groups."""
    levels = Levels()
    videos: list[Video] = []

    def add(name: str, member: Any) -> None:
        if isinstance(member, h5py.Dataset):
            for row in range(len(member)):
                where, playback = f"{path}, {name} {row}", Playback()
                stored = partial(_decode_row, member, row, where, playback, rate)
                videos.append(Video(where, None, stored, levels, playback=playback))

    streams = file["video_streams"]
    if isinstance(streams, h5py.Dataset):
        add("video_streams", streams)
    else:
        streams.visititems(add)
    if not videos:
        raise DataError(f"{path}: 'video_streams' holds no video")
    return Collection(videos, "PhyWorld's layout", levels)


def _decode_row(
    streams: h5py.Dataset, row: int, where: str, playback: Playback, rate: float | None
) -> Iterator[NDArray[Any]]:
    try:
        raw = streams[row]
        while isinstance(raw, np.ndarray) and raw.dtype == object:
            raw = raw.flat[0]
        stream = io.BytesIO(bytes(raw))
    except (OSError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"{where} cannot be read ({error})") from None
    yield from decode(stream, where, playback, rate)
