"""Verify a dataset: its files, its clips, and that the ground truth is what is drawn.

A fault makes the dataset wrong; a warning says what a model could exploit or a figure could hide.
Nothing is taken on trust: pixels are read again, hashed, and tracked.

N clips, T frames.
"""

import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from isal.isal_zlib import crc32
from numpy.typing import NDArray

from trajvq.data.storage.shards import (
    DAMAGED,
    SCHEMA,
    Columns,
    DataError,
    Manifest,
    check_columns,
    first_line,
    open_shard,
    read_manifest,
)
from trajvq.io.files import file_sha256
from trajvq.io.progress import progress
from trajvq.io.video import to_float
from trajvq.metrics.dataset.checks import (
    Check,
    SplitSeen,
    check_classes,
    check_duplicates,
    check_frozen,
    check_inside,
    check_leaks,
    check_truth,
    check_values,
)
from trajvq.metrics.tracking import contrast_of, track

BLOCK = 50  # clips looked at at once


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
    schema, pixels = Check("schema"), Check("checksums")
    known = {entry["file"] for entries in manifest.splits.values() for entry in entries}
    files.faults += [
        f"{path.name} is not in the manifest" for path in sorted(folder.glob("*.h5")) if path.name not in known
    ]
    splits: dict[str, SplitSeen] = {}
    with progress("reading clips", sum(manifest.clips(split) for split in manifest.splits)) as done:
        for split, entries in manifest.splits.items():
            splits[split] = SplitSeen()
            for entry in entries:
                try:
                    _check_file(folder, entry)
                    with open_shard(folder, entry) as file:
                        _read(file, manifest, split, entry, splits[split], schema, pixels)
                except DataError as error:
                    files.faults.append(str(error))
                done(entry["clips"])
    files.found = f"{len(known)} shards, {sum(e['bytes'] for es in manifest.splits.values() for e in es):,} bytes"
    count = sum(len(held.crc) for held in splits.values())
    schema.found = f"{len(next(iter(splits.values())).columns) + 1} columns"
    pixels.found = f"{count:,} clips"
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
        check_duplicates(splits),
        check_leaks(splits),
    ]


def _check_file(folder: Path, entry: dict[str, Any]) -> None:
    path = folder / entry["file"]
    if path.is_file() and path.stat().st_size == entry["bytes"] and file_sha256(path) != entry["sha256"]:
        raise DataError(f"shard {path} was changed after it was written; generate or import the dataset again")


def _read(
    file: h5py.File,
    manifest: Manifest,
    split: str,
    entry: dict[str, Any],
    held: SplitSeen,
    schema: Check,
    pixels: Check,
) -> None:
    """Read one shard: check its columns, and look at every clip."""
    start = len(held.crc)
    try:
        columns: Columns = {name: file[name][:] for name in file if name != "video" and file[name].ndim < 4}
        sizes = {"T": manifest.frames, "H": manifest.height, "W": manifest.width}
        check_columns({k: v for k, v in columns.items() if k in SCHEMA}, entry["clips"], sizes)
        unknown = [name for name in file if name not in SCHEMA]
        shape = (entry["clips"], manifest.frames, 3, manifest.height, manifest.width)
        if unknown or file["video"].shape != shape or file["video"].dtype != np.uint8:
            schema.faults.append(f"{entry['file']}: {unknown or file['video'].shape}")
            return
        for first in range(0, entry["clips"], BLOCK):
            rows = slice(first, min(first + BLOCK, entry["clips"]))
            video = file["video"][rows]
            for number, clip in enumerate(video):
                _hash(clip, start + first + number, split, columns, first + number, held, pixels)
            background = file["background"][rows] if "background" in file else None
            _look(video, background, {k: v[rows] for k, v in columns.items()}, held)
    except DataError as error:
        schema.faults.append(f"{entry['file']}: {error}")
        return
    except DAMAGED as error:
        pixels.faults.append(f"{entry['file']}: {first_line(error)}")
        return
    for name, array in columns.items():
        held.columns[name] = np.concatenate([held.columns[name], array]) if name in held.columns else array


def _hash(
    clip: NDArray[np.uint8], index: int, split: str, columns: Columns, row: int, held: SplitSeen, pixels: Check
) -> None:
    crc = crc32(clip.data)
    if "crc32" in columns and crc != columns["crc32"][row]:
        pixels.faults.append(f"{split} clip {index}: its pixels are not those of its crc32")
    held.crc.append(crc)
    held.digest.append(hashlib.blake2b(clip.data, digest_size=16).digest())
    if clip.min() == clip.max():
        held.blank.append(index)
    elif (clip == clip[:1]).all():
        held.still.append(index)


def _look(video: NDArray[np.uint8], background: NDArray[np.uint8] | None, columns: Columns, held: SplitSeen) -> None:
    """Track a block of clips."""
    if background is None:
        import torch

        from trajvq.metrics.background import estimate_background

        estimated = estimate_background(to_float(torch.from_numpy(video)))
        background = np.asarray((estimated * 255).round().byte().transpose(1, 2).numpy()[:, 0])
    ground = background[:, None] if background.ndim == 4 else background[:, None, :, None, None]
    contrast = area = None
    if "color" in columns and "radius" in columns and background.ndim == 2:
        contrast = np.abs(columns["color"].astype(float) - background).mean(axis=1) / 255
        area = np.pi * columns["radius"].astype(float) ** 2
    elif background.ndim == 4:
        contrast = np.quantile(contrast_of(video, ground), 0.999, axis=(1, 2, 3)).astype(np.float64)
    held.seen.append(track(video, ground, contrast, area))
