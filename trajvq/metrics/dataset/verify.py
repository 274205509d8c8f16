"""Verify a dataset: its files, its columns, its clips, and its ground truth.

A fault makes the dataset wrong; a warning names what a model could exploit or what could distort a figure. Every pixel
is read, hashed and tracked again.

N clips, T frames.
"""

import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from isal.isal_zlib import crc32

from trajvq.data.storage.manifest import Manifest, read_manifest
from trajvq.data.storage.shards import DAMAGED, SCHEMA, Columns, check_columns, open_shard, with_objects
from trajvq.errors import DataError, first_line
from trajvq.io.arrays import Bytes, Floats, visible_in
from trajvq.io.files import file_sha256
from trajvq.io.progress import progress
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.background import estimate_background
from trajvq.metrics.dataset.checks import (
    Check,
    SplitContents,
    check_classes,
    check_frozen,
    check_values,
)
from trajvq.metrics.dataset.leaks import check_duplicates, check_leaks
from trajvq.metrics.dataset.truth import check_inside, check_positions, check_truth
from trajvq.metrics.reconstruction.truth import disc_labels, disc_share, textured_contrast
from trajvq.metrics.tracking import track

BLOCK = 50  # clips in memory


def verify(folder: Path) -> list[Check]:
    """Verify a dataset folder.

    Args:
        folder: The dataset folder.

    Returns:
        The checks, each with its faults and warnings.
    """
    files = Check("files")
    try:
        manifest = read_manifest(folder)
    except DataError as error:
        files.faults.append(str(error))
        return [files]
    if not any(manifest.splits.values()):
        files.faults.append("the manifest names no clips; generate or import the dataset again")
        return [files]
    schema, pixels = Check("schema"), Check("checksums")
    entries = [entry for shards in manifest.splits.values() for entry in shards]
    names = {entry["file"] for entry in entries}
    files.faults += [
        f"{path.name} is not in the manifest" for path in sorted(folder.glob("*.h5")) if path.name not in names
    ]
    splits: dict[str, SplitContents] = {}
    with progress("reading clips", sum(manifest.clips(split) for split in manifest.splits)) as advance:
        for split, shards in manifest.splits.items():
            splits[split] = SplitContents()
            for entry in shards:
                try:
                    _check_file(folder, entry)
                    with open_shard(folder, entry) as file:
                        _ShardReader(manifest, split, splits[split], schema, pixels).read(file, entry)
                except DataError as error:
                    files.faults.append(str(error))
                advance(entry["clips"])
    files.summary = f"{len(names)} shards, {sum(entry['bytes'] for entry in entries):,} bytes"
    schema.summary = f"{len(next(iter(splits.values())).columns) + 1} columns"
    pixels.summary = f"{sum(len(contents.crc) for contents in splits.values()):,} clips"
    checks = [files, schema, pixels]
    if any(check.faults for check in checks):
        return checks
    return [
        *checks,
        *check_frozen(manifest, splits),
        check_classes(manifest, splits),
        check_values(splits),
        check_inside(manifest, splits),
        check_truth(splits),
        check_positions(splits),
        check_duplicates(splits),
        check_leaks(splits),
    ]


def _check_file(folder: Path, entry: dict[str, Any]) -> None:
    """Raise a `DataError` if the content of a shard has changed; missing and cut files are found when it is opened."""
    path = folder / entry["file"]
    if path.is_file() and path.stat().st_size == entry["bytes"] and file_sha256(path) != entry["sha256"]:
        raise DataError(f"shard {path} was changed after it was written; generate or import the dataset again")


class _ShardReader:
    """Read the shards of a split: check columns and checksums, and collect what later checks need.

    Args:
        manifest: Of the dataset.
        split: Name of the split.
        contents: Where clips and columns are collected.
        schema: Takes the faults of columns.
        pixels: Takes the faults of pixels.
    """

    def __init__(self, manifest: Manifest, split: str, contents: SplitContents, schema: Check, pixels: Check) -> None:
        self.manifest, self.split, self.contents = manifest, split, contents
        self.schema, self.pixels = schema, pixels

    def read(self, file: h5py.File, entry: dict[str, Any]) -> None:
        """Read a shard that is open; ``entry`` is its entry in the manifest."""
        manifest, columns = self.manifest, self.contents.columns
        try:
            small = [name for name in file if name not in ("video", "background") or file[name].ndim < 4]
            shard: Columns = {name: with_objects(name, file[name][:], manifest.version) for name in small}
            sizes = {"T": manifest.frames, "H": manifest.height, "W": manifest.width}
            if "pixel" in columns:  # all shards have the same number of objects
                sizes["K"] = columns["pixel"].shape[2]
            check_columns({name: shard[name] for name in shard if name in SCHEMA}, entry["clips"], sizes)
            unknown = [name for name in file if name not in SCHEMA]
            if unknown:
                raise DataError(f"unknown columns {', '.join(unknown)}")
            video, shape = file["video"], (entry["clips"], manifest.frames, 3, manifest.height, manifest.width)
            if video.shape != shape or video.dtype != np.uint8:
                raise DataError(f"video is {video.dtype} {video.shape}, not uint8 {shape}")
            for first in range(0, entry["clips"], BLOCK):
                rows = slice(first, min(first + BLOCK, entry["clips"]))
                background = file["background"][rows] if "background" in file else None
                self._read_block(video[rows], background, {name: values[rows] for name, values in shard.items()})
        except DataError as error:
            self.schema.faults.append(f"{entry['file']}: {error}")
            return
        except DAMAGED as error:
            self.pixels.faults.append(f"{entry['file']}: {first_line(error)}")
            return
        for name, values in shard.items():
            columns[name] = np.concatenate([columns[name], values]) if name in columns else values

    def _read_block(self, video: Bytes, background: Bytes | None, columns: Columns) -> None:
        """Hash and track a block of clips, uint8 ``(N, T, 3, H, W)``."""
        for row, clip in enumerate(video):
            index, crc = len(self.contents.crc), crc32(clip.data)
            if "crc32" in columns and crc != columns["crc32"][row]:
                self.pixels.faults.append(f"{self.split} clip {index}: its pixels do not match its crc32")
            self.contents.crc.append(crc)
            self.contents.digest.append(hashlib.blake2b(clip.data, digest_size=16).digest())
            if clip.min() == clip.max():
                self.contents.blank.append(index)
            elif (clip == clip[:1]).all():
                self.contents.still.append(index)
        if background is None:
            background = to_uint8(estimate_background(to_float(torch.from_numpy(video))))[:, 0]
        broadcast = background[:, None] if background.ndim == 4 else background[:, None, :, None, None]
        contrast = area = None
        if "color" in columns and "radius" in columns and background.ndim == 2:
            contrast = np.abs(columns["color"].astype(float) - background[:, None]).mean(axis=2) / 255
            area = np.pi * columns["radius"].astype(float) ** 2
        elif background.ndim == 4:
            contrast = textured_contrast(video, broadcast, _disc_share(columns, video))[:, None]
        self.contents.tracks.append(track(video, broadcast, contrast, area))


def _disc_share(columns: Columns, video: Bytes) -> Floats:
    """Return ``(N,)`` shares of the clips that objects cover, as `disc_share`; 1 where no truth is stored."""
    if "pixel" not in columns or "radius" not in columns:
        return np.ones(len(video))
    pixel, radius = columns["pixel"].astype(float), columns["radius"].astype(float)
    labels = disc_labels(pixel, radius, *video.shape[-2:])
    return disc_share(labels, visible_in(pixel, columns.get("occluded")))
