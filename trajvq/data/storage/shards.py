"""The dataset folder: HDF5 shards with one clip a chunk, and a manifest that names and checks them.

N clips, T frames, 3 colors, H rows, W columns. The columns of a shard are listed in `SCHEMA`;
only ``video`` is required.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from isal.isal_zlib import crc32
from numpy.typing import NDArray

from trajvq.data.storage.chunks import LEVEL, write_chunk
from trajvq.errors import UserError
from trajvq.io.files import write_text

FORMAT, VERSION = "trajvq-dataset", 1
MANIFEST, PROGRESS = "manifest.json", "progress.json"
SHARD = 1000  # clips a shard
TEXT = 320  # bytes of an equation or description

# name: (dtype kind and size, dimensions behind N; a name stands for any size)
SCHEMA: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "video": ("u1", ("T", 3, "H", "W")),
    "label": ("i8", ()),
    "position": ("f4", ("T", 3)),
    "time": ("f4", ("T",)),
    "pixel": ("f4", ("T", 2)),
    "radius": ("f4", ("T",)),
    "color": ("u1", (3,)),
    "background": ("u1", (3,)),  # or (3, H, W)
    "occluded": ("b1", ("T",)),
    "identifiable": ("b1", ()),
    "camera": ("f4", ("K",)),
    "params": ("f4", ("P",)),
    "equation": ("S", ()),
    "description": ("S", ()),
    "crc32": ("u4", ()),
}

Columns = Mapping[str, NDArray[Any]]
DAMAGED = (OSError, KeyError, RuntimeError, ValueError, TypeError)  # what h5py raises on damaged files
FILTER = {"fletcher32": True, **hdf5plugin.Zstd(clevel=LEVEL)}


class DataError(UserError):
    """Something is wrong with a dataset or an import."""


@dataclass
class Manifest:
    """What a dataset folder holds, as in its ``manifest.json``.

    Attributes:
        preset: Name of the preset or of the imported file.
        seed: Seed of the generator or of the split.
        frames: T.
        height: H.
        width: W.
        classes: Class names by label; empty without labels.
        splits: For each split a list of ``{"file", "clips", "bytes", "sha256"}``.
        columns: Names of the columns of ``camera``, and of ``params`` by class.
        ranges: The numeric range of every parameter, and the regions of every split.
    """

    preset: str
    seed: int
    frames: int
    height: int
    width: int
    classes: list[str] = field(default_factory=list)
    splits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    ranges: dict[str, Any] = field(default_factory=dict)

    def clips(self, split: str) -> int:
        """Return the number of clips of a split."""
        return sum(int(shard["clips"]) for shard in self.splits[split])

    @property
    def sha256(self) -> str:
        """Hash of everything in the manifest, shard hashes included: the identity of the dataset."""
        text = json.dumps({"format": FORMAT, "version": VERSION, **self.__dict__}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write ``manifest.json`` whole or not at all."""
        content = {"format": FORMAT, "version": VERSION, **self.__dict__, "sha256": self.sha256}
        write_whole(folder / MANIFEST, content)


def first_line(error: BaseException) -> str:
    """Return what an error says in one line."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def write_whole(path: Path, content: Any) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(content, indent=1))


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a dataset folder.

    Raises:
        DataError: If it is missing, damaged or of another format.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise DataError(f"no dataset in {folder}: {_unfinished(folder)}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); generate or import the dataset again") from None
    try:
        if content.pop("format") != FORMAT or content.pop("version") != VERSION:
            raise DataError(f"{path} is not a {FORMAT} of version {VERSION}; generate or import it again")
        stored, manifest = content.pop("sha256"), Manifest(**content)
    except (AttributeError, KeyError, TypeError):
        raise DataError(f"{path} lacks fields of a {FORMAT}; generate or import it again") from None
    if stored != manifest.sha256:
        raise DataError(f"{path} was changed after it was written; generate or import the dataset again")
    return manifest


def _unfinished(folder: Path) -> str:
    try:
        line = json.loads((folder / PROGRESS).read_text())["line"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"{MANIFEST} is missing; make one with `trajvq data generate`"
    return f"its generation stopped at {line}; run the same `trajvq data generate` again"


def check_columns(columns: Columns, count: int | None = None, sizes: Mapping[str, int] | None = None) -> int:
    """Check that columns fit the schema and each other; return the number of clips.

    Args:
        columns: Arrays by name.
        count: Clips, where ``video`` is not among the columns.
        sizes: Sizes that are known already, by the names in `SCHEMA`.

    Raises:
        DataError: If a column is unknown, has another type or another shape.
    """
    known: dict[str | int, int] = {name: size for name, size in (sizes or {}).items()}
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
        for wanted, size in zip(shape, array.shape[1:], strict=False):
            fits &= size == (wanted if isinstance(wanted, int) else known.setdefault(wanted, size))
        if not fits:
            raise DataError(f"column {name!r} has shape {array.shape}, not {(count, *shape)}")
    return count


def texts(lines: Iterable[str]) -> NDArray[Any]:
    """Turn lines into a column of fixed-length UTF-8.

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
    """Write one shard whole or not at all, with a checksum on every chunk.

    Args:
        path: Where the shard goes; a temporary file beside it is renamed at the end.
        columns: ``(N, ...)`` arrays as in `SCHEMA`, without ``crc32``.
        blocks: Further columns, several clips at a time, so that never all pixels are in memory.

    Returns:
        The manifest's entry for the shard.

    Raises:
        DataError: If a column does not fit the schema.
        OSError: If the file cannot be written.
    """
    count = len(next(iter(columns.values())))
    if blocks is None:
        blocks = [{name: array for name, array in columns.items() if name == "video" or array.ndim == 4}]
        columns = {name: array for name, array in columns.items() if name not in blocks[0]}
    partial = path.with_name(f".{path.name}.partial")
    try:
        with h5py.File(partial, "w", libver="latest") as file:
            small: dict[str, list[NDArray[Any]]] = {}
            checksums: list[int] = []
            for block in blocks:
                check_columns(block)
                for name, array in block.items():
                    if name == "video" or array.ndim == 4:
                        shape = array.shape[1:]
                        if name not in file:  # one clip or picture a chunk
                            file.create_dataset(name, (count, *shape), array.dtype, chunks=(1, *shape), **FILTER)
                        held, array = file[name], np.ascontiguousarray(array)
                        for row, part in enumerate(array, len(checksums)):
                            write_chunk(held, row, part)
                    else:
                        small.setdefault(name, []).append(array)
                checksums += [crc32(np.ascontiguousarray(clip).data) for clip in block["video"]]
            columns = {**columns, **{name: np.concatenate(parts) for name, parts in small.items()}}
            columns = {**columns, "crc32": np.array(checksums, dtype=np.uint32)}
            check_columns(columns, count, {"T": file["video"].shape[1]})
            for name, array in columns.items():
                file.create_dataset(name, data=array, chunks=(count, *array.shape[1:]), **FILTER)
        with partial.open("rb+") as raw:
            digest = hashlib.file_digest(raw, "sha256").hexdigest()
            os.fsync(raw.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # HDF5 says it at length, and again when it closes the file
        code = getattr(error, "errno", None) or getattr(error.__context__, "errno", None)
        if code is None:
            raise
        raise OSError(code, os.strerror(code)) from error
    finally:
        partial.unlink(missing_ok=True)
    return {"file": path.name, "clips": count, "bytes": path.stat().st_size, "sha256": digest}


def open_shard(folder: Path, entry: Mapping[str, Any]) -> h5py.File:
    """Open one shard for reading and check that it is the one the manifest names.

    Raises:
        DataError: If it is missing, truncated, unreadable or holds something else.
    """
    path = folder / entry["file"]
    remedy = "generate or import the dataset again"
    if not path.is_file():
        raise DataError(f"shard {path} is missing; {remedy}")
    size = path.stat().st_size
    if size != entry["bytes"]:
        raise DataError(f"shard {path} has {size} bytes where the manifest says {entry['bytes']}; {remedy}")
    try:
        file = h5py.File(path, "r")
        clips = len(file["video"])
    except DAMAGED as error:
        raise DataError(f"shard {path} cannot be read ({first_line(error)}); {remedy}") from None
    if clips != entry["clips"]:
        raise DataError(f"shard {path} holds {clips} clips where the manifest says {entry['clips']}; {remedy}")
    return file


def read_column(folder: Path, manifest: Manifest, split: str, name: str) -> NDArray[Any] | None:
    """Read one whole column of a split, or None where the dataset does not have it.

    Raises:
        DataError: If a shard cannot be read.
    """
    parts = []
    for entry in manifest.splits[split]:
        with open_shard(folder, entry) as file:
            try:
                if name not in file:
                    return None
                parts.append(file[name][:])
            except DAMAGED as error:
                place = f"shard {folder / entry['file']}, column {name!r}"
                raise DataError(f"{place} is damaged: {first_line(error)}; generate or import it again") from None
    return np.concatenate(parts)
