"""Shards: HDF5 files with one clip per chunk and a checksum on every chunk.

N clips, T frames, K objects, 3 colors, H rows, W columns. `SCHEMA` lists the columns of a shard. Only ``video`` is
required. A clip with fewer than K objects has NaN, False, 0 or an empty text for those it lacks.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from isal.isal_zlib import crc32
from numpy.typing import NDArray

from trajvq.data.storage.chunks import LEVEL, write_chunk
from trajvq.data.storage.manifest import Manifest
from trajvq.errors import DataError, first_line
from trajvq.io.files import file_sha256, whole_file

SHARD = 1000  # clips per shard
TEXT = 320  # bytes of an equation or description

# name: (dtype kind and size, dimensions after N; a letter stands for any size)
SCHEMA: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "video": ("u1", ("T", 3, "H", "W")),
    "label": ("i8", ()),
    "position": ("f4", ("T", "K", 3)),
    "time": ("f4", ("T",)),
    "pixel": ("f4", ("T", "K", 2)),
    "radius": ("f4", ("T", "K")),
    "color": ("u1", ("K", 3)),
    "background": ("u1", (3,)),  # or (3, H, W)
    "occluded": ("b1", ("T", "K")),
    "identifiable": ("b1", ("K",)),
    "camera": ("f4", ("Q",)),
    "params": ("f4", ("K", "P")),
    "equation": ("S", ("K",)),
    "description": ("S", ("K",)),
    "crc32": ("u4", ()),
}

Columns = Mapping[str, NDArray[Any]]
DAMAGED = (OSError, KeyError, RuntimeError, ValueError, TypeError)  # what h5py raises on damaged files
FILTER = {"fletcher32": True, **hdf5plugin.Zstd(clevel=LEVEL)}


def check_columns(columns: Columns, count: int | None = None, sizes: Mapping[str, int] | None = None) -> int:
    """Check that columns fit the schema and each other, and return the number of clips.

    Args:
        columns: Arrays by name.
        count: Number of clips, if ``video`` is not among the columns.
        sizes: Sizes of dimensions, by their letters in `SCHEMA`, that the columns must have.

    Raises:
        DataError: If a column is unknown or has another type or shape.
    """
    required: dict[str | int, int] = {name: size for name, size in (sizes or {}).items()}
    count = len(columns["video"]) if count is None else count
    for name, array in columns.items():
        if name not in SCHEMA:
            raise DataError(f"unknown column {name!r}; known: {', '.join(SCHEMA)}")
        kind, shape = SCHEMA[name]
        if name == "background" and array.ndim == 4:
            shape = (3, "H", "W")
        if not array.dtype.str[1:].startswith(kind):
            raise DataError(f"column {name!r} has type {array.dtype}, not {kind}")
        fits = len(array) == count and array.ndim == len(shape) + 1
        for dimension, size in zip(shape, array.shape[1:], strict=False):
            fits &= size == (dimension if isinstance(dimension, int) else required.setdefault(dimension, size))
        if not fits:
            raise DataError(f"column {name!r} has shape {array.shape}, not {(count, *shape)}")
    return count


def with_objects(name: str, array: NDArray[Any], version: int) -> NDArray[Any]:
    """Return a column of any version of the format as in `SCHEMA`: version 1 had one object and no axis K."""
    shape = SCHEMA[name][1] if name in SCHEMA else ()
    return np.expand_dims(array, shape.index("K") + 1) if version == 1 and "K" in shape else array


def by_object(values: NDArray[Any]) -> Any:
    """Return a clip's values ``(K,)`` of a column for JSON: one value if K is 1, otherwise a list; texts as strings."""
    plain = [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]
    return plain[0] if len(plain) == 1 else plain


def texts(lines: Iterable[str]) -> NDArray[Any]:
    """Convert lines to a column of fixed-length UTF-8.

    Raises:
        ValueError: If a line is too long.
    """
    raw = [line.encode() for line in lines]
    for line in raw:
        if len(line) > TEXT:
            raise ValueError(f"a text of {len(line)} bytes does not fit into {TEXT}: {line.decode()}")
    return np.array(raw, dtype=f"S{TEXT}")


def shard_name(split: str, number: int) -> str:
    """Return the file name of a shard."""
    return f"{split}-{number:05d}.h5"


def write_shard(path: Path, columns: Columns, blocks: Iterable[Columns] | None = None) -> dict[str, Any]:
    """Write one shard atomically, with a checksum on every chunk.

    Args:
        path: Path of the shard. The file is written beside it and renamed at the end.
        columns: ``(N, ...)`` arrays as in `SCHEMA`, without ``crc32``.
        blocks: Further columns, including ``video``, in blocks of several clips, so that the pixels of all clips are
            never in memory at the same time.

    Returns:
        The entry of the shard in the manifest.

    Raises:
        DataError: If a column does not fit the schema.
        OSError: If the file cannot be written.
    """
    count = len(next(iter(columns.values())))
    if blocks is None:
        blocks = [{name: array for name, array in columns.items() if _is_large(name, array)}]
        columns = {name: array for name, array in columns.items() if name not in blocks[0]}
    try:  # not with `trajvq.io.hdf5.HDF5Output`, which would change the bytes, and with them the hash of every dataset
        with whole_file(path) as partial, h5py.File(partial, "w", libver="latest") as file:
            columns = {**columns, **_write_blocks(file, count, blocks)}
            check_columns(columns, count, {"T": file["video"].shape[1]})
            for name, array in columns.items():
                file.create_dataset(name, data=array, chunks=(count, *array.shape[1:]), **FILTER)
    except (OSError, RuntimeError) as error:  # HDF5's messages are long, and it raises again when it closes the file
        code = getattr(error, "errno", None) or getattr(error.__context__, "errno", None)
        if code is None:
            raise
        raise OSError(code, os.strerror(code)) from error
    return {"file": path.name, "clips": count, "bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _is_large(name: str, array: NDArray[Any]) -> bool:
    """Return whether a column holds pixels, which are stored as one clip or picture per chunk."""
    return name == "video" or (name == "background" and array.ndim == 4)


def _write_blocks(file: h5py.File, count: int, blocks: Iterable[Columns]) -> dict[str, NDArray[Any]]:
    """Write the pixels of blocks; return their other columns and ``crc32``."""
    small: dict[str, list[NDArray[Any]]] = {}
    checksums: list[int] = []
    for block in blocks:
        check_columns(block)
        for name, array in block.items():
            if not _is_large(name, array):
                small.setdefault(name, []).append(array)
                continue
            if name not in file:
                shape = array.shape[1:]
                file.create_dataset(name, (count, *shape), array.dtype, chunks=(1, *shape), **FILTER)
            for row, clip in enumerate(np.ascontiguousarray(array), len(checksums)):
                write_chunk(file[name], row, clip)
        checksums += [crc32(np.ascontiguousarray(clip).data) for clip in block["video"]]
    columns = {name: np.concatenate(parts) for name, parts in small.items()}
    return {**columns, "crc32": np.array(checksums, dtype=np.uint32)}


def open_shard(folder: Path, entry: Mapping[str, Any]) -> h5py.File:
    """Open one shard for reading, and check it against its entry in the manifest.

    Raises:
        DataError: If it is missing, truncated, unreadable or has another number of clips.
    """
    path = folder / entry["file"]
    remedy = "generate or import the dataset again"
    if not path.is_file():
        raise DataError(f"shard {path} is missing; {remedy}")
    size = path.stat().st_size
    if size != entry["bytes"]:
        raise DataError(f"shard {path} has {size} bytes, but the manifest says {entry['bytes']}; {remedy}")
    try:
        file = h5py.File(path, "r")
        clips = len(file["video"])
    except DAMAGED as error:
        raise DataError(f"shard {path} cannot be read ({first_line(error)}); {remedy}") from None
    if clips != entry["clips"]:
        raise DataError(f"shard {path} holds {clips} clips, but the manifest says {entry['clips']}; {remedy}")
    return file


def read_column(folder: Path, manifest: Manifest, split: str, name: str) -> NDArray[Any] | None:
    """Read a column of all clips of a split; return None if the dataset does not have it.

    Raises:
        DataError: If a shard cannot be read.
    """
    parts = []
    for entry in manifest.splits[split]:
        with open_shard(folder, entry) as file:
            try:
                if name not in file:
                    return None
                parts.append(with_objects(name, file[name][:], manifest.version))
            except DAMAGED as error:
                where = f"shard {folder / entry['file']}, column {name!r}"
                raise DataError(f"{where} is damaged: {first_line(error)}; generate or import it again") from None
    return np.concatenate(parts)
