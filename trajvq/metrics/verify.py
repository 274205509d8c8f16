"""Verify a dataset: its files, its clips, and that the ground truth is what is drawn.

A fault makes the dataset wrong; a warning says what a model could exploit or a figure could hide.
Nothing is taken on trust: pixels are read again, hashed, and tracked.

N clips, T frames.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from isal.isal_zlib import crc32
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from trajvq.data.presets import PRESETS, fingerprint
from trajvq.data.store import (
    DAMAGED,
    SCHEMA,
    Columns,
    DataError,
    Manifest,
    check_columns,
    file_sha256,
    first_line,
    open_shard,
    read_manifest,
)
from trajvq.metrics.tracking import Tracks, contrast_of, track

BLOCK = 50  # clips looked at at once
PLACE = 0.25  # px by which what is drawn may miss `pixel`, mean of a clip; on a plain background
PLACE_HARD = 2.0  # px, with pictures behind the object, noise and occlusion
SIZE = 0.35  # share of the radius by which what is drawn may miss `radius`
SMALL = 1.0  # px of radius below which a disc has too few pixels to be measured
NEAR = 0.25  # px RMS within which two paths are near duplicates
PHASE = 0.02  # px around one pixel phase that counts as that phase
SHOWN = 3  # places named in a message
CONSTANT = 0.02  # px of spread below which a radius is constant


@dataclass
class Check:
    """One line of the verification.

    Attributes:
        name: What was looked at.
        faults: Where it is wrong; any makes the dataset bad.
        warnings: What a model could exploit.
        found: What was seen, where all is well.
    """

    name: str
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    found: str = ""


@dataclass
class _Split:
    """What is kept of a split's clips while its pixels go by."""

    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    crc: list[int] = field(default_factory=list)
    digest: list[bytes] = field(default_factory=list)
    seen: list[Tracks] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    still: list[int] = field(default_factory=list)


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
    splits: dict[str, _Split] = {}
    for split, entries in manifest.splits.items():
        splits[split] = _Split()
        for entry in entries:
            try:
                _check_file(folder, entry)
                with open_shard(folder, entry) as file:
                    _read(file, manifest, split, entry, splits[split], schema, pixels)
            except DataError as error:
                files.faults.append(str(error))
    files.found = f"{len(known)} shards, {sum(e['bytes'] for es in manifest.splits.values() for e in es):,} bytes"
    count = sum(len(held.crc) for held in splits.values())
    schema.found = f"{len(next(iter(splits.values())).columns) + 1} columns"
    pixels.found = f"{count:,} clips"
    checks = [files, schema, pixels]
    if any(check.faults for check in checks):
        return checks
    return [
        *checks,
        *_frozen(manifest, splits),
        _classes(manifest, splits),
        _values(splits),
        _inside(manifest, splits),
        _truth(splits),
        _duplicates(splits),
        _leaks(splits),
    ]


def _check_file(folder: Path, entry: dict[str, Any]) -> None:
    path = folder / entry["file"]
    if path.is_file() and path.stat().st_size == entry["bytes"] and file_sha256(path) != entry["sha256"]:
        raise DataError(f"shard {path} was changed after it was written; generate or import the dataset again")


def _read(
    file: h5py.File, manifest: Manifest, split: str, entry: dict[str, Any], held: _Split, schema: Check, pixels: Check
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
            _look(video, background, {k: v[rows] for k, v in columns.items()}, held, start + first)
    except DataError as error:
        schema.faults.append(f"{entry['file']}: {error}")
        return
    except DAMAGED as error:
        pixels.faults.append(f"{entry['file']}: {first_line(error)}")
        return
    for name, array in columns.items():
        held.columns[name] = np.concatenate([held.columns[name], array]) if name in held.columns else array


def _hash(
    clip: NDArray[np.uint8], index: int, split: str, columns: Columns, row: int, held: _Split, pixels: Check
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


def _look(
    video: NDArray[np.uint8], background: NDArray[np.uint8] | None, columns: Columns, held: _Split, start: int
) -> None:
    """Track a block of clips."""
    if background is None:
        import torch

        from trajvq.metrics.background import estimate_background

        estimated = estimate_background(torch.from_numpy(video).transpose(1, 2).float() / 255)
        background = np.asarray((estimated * 255).round().byte().transpose(1, 2).numpy()[:, 0])
    ground = background[:, None] if background.ndim == 4 else background[:, None, :, None, None]
    contrast = area = None
    if "color" in columns and "radius" in columns and background.ndim == 2:
        contrast = np.abs(columns["color"].astype(float) - background).mean(axis=1) / 255
        area = np.pi * columns["radius"].astype(float) ** 2
    elif background.ndim == 4:
        contrast = np.quantile(contrast_of(video, ground), 0.999, axis=(1, 2, 3)).astype(np.float64)
    held.seen.append(track(video, ground, contrast, area))


def _name(split: str, found: NDArray[np.bool_] | list[int], what: str) -> list[str]:
    """Say which clips, the first few by number."""
    numbers = np.flatnonzero(found).tolist() if isinstance(found, np.ndarray) else found
    if not numbers:
        return []
    more = f" and {len(numbers) - SHOWN:,} more" if len(numbers) > SHOWN else ""
    return [f"{split} clip {', '.join(map(str, numbers[:SHOWN]))}{more}: {what}"]


def _frozen(manifest: Manifest, splits: dict[str, _Split]) -> list[Check]:
    """Compare the pixels of a frozen benchmark with what they were when it was frozen."""
    frozen = PRESETS[manifest.preset].pixels if manifest.preset in PRESETS else {}
    if not frozen:
        return []
    check = Check("benchmark", found=f"{manifest.preset}, pixel for pixel")
    for split, held in splits.items():
        if fingerprint(np.array(held.crc, dtype=np.uint32)) != frozen.get(split):
            check.faults.append(f"{split} is not that of {manifest.preset}; generate it again with this version")
    return [check]


def _classes(manifest: Manifest, splits: dict[str, _Split]) -> Check:
    check = Check(
        "classes", found=", ".join(manifest.classes) if len(manifest.classes) < 12 else f"{len(manifest.classes)}"
    )
    for split, held in splits.items():
        if "label" not in held.columns:
            check.found = "no labels"
            continue
        label = held.columns["label"]
        check.faults += _name(
            split, (label < 0) | (label >= len(manifest.classes)), "its label has no name in the manifest"
        )
        if check.faults:
            continue
        counts = np.bincount(label, minlength=len(manifest.classes))
        if counts.min() == 0 and len(label) >= 4 * len(counts):
            check.warnings.append(f"{split} holds no {manifest.classes[int(counts.argmin())]}")
        elif counts.max() > 2 * counts.min() and len(label) >= 4 * len(counts):
            low, high = (manifest.classes[int(k)] for k in (counts.argmin(), counts.argmax()))
            check.warnings.append(f"{split}: {counts.max()} of {high} against {counts.min()} of {low}")
    return check


def _values(splits: dict[str, _Split]) -> Check:
    check = Check("values", found="finite, in range, and something moves")
    for split, held in splits.items():
        for name, array in held.columns.items():
            if array.dtype.kind == "f" and name != "params":  # params are NaN where a class has fewer
                wrong = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1)).tolist()
                check.faults += _name(split, wrong, f"{name} is not a number")
        check.faults += _name(split, held.blank, "one colour and nothing else")
        check.warnings += _name(split, held.still, "nothing moves")
    return check


def _inside(manifest: Manifest, splits: dict[str, _Split]) -> Check:
    check = Check("in frame", found="every object, wholly")
    room = np.array([manifest.width, manifest.height])
    for split, held in splits.items():
        if "pixel" not in held.columns or "radius" not in held.columns:
            check.found = "no pixel or radius stored"
            continue
        pixel, radius = held.columns["pixel"], held.columns["radius"][..., None]
        outside = np.asarray(((pixel < 0) | (pixel > room)).any(axis=(1, 2)))
        cut = np.asarray(((pixel - radius < 0) | (pixel + radius > room)).any(axis=(1, 2)) & ~outside)
        check.faults += _name(split, outside, "its object leaves the frame")
        check.warnings += _name(split, cut, "its object is cut by the edge of the frame")
    return check


def _join(held: _Split, name: str) -> NDArray[Any]:
    return np.concatenate([getattr(seen, name) for seen in held.seen])


def _truth(splits: dict[str, _Split]) -> Check:
    check = Check("ground truth")
    errors = []
    for split, held in splits.items():
        if "pixel" not in held.columns or "radius" not in held.columns:
            check.found = "no pixel or radius stored; objects are tracked below"
            continue
        pixel, radius = held.columns["pixel"].astype(float), held.columns["radius"].astype(float)
        hidden = held.columns.get("occluded", np.zeros(radius.shape, dtype=bool))
        plain = held.columns["background"].ndim == 2 if "background" in held.columns else False
        count, seen = _join(held, "count"), _join(held, "pixel")
        lost = (count == 0) & ~hidden
        far = np.where(hidden | lost, 0.0, np.linalg.norm(np.nan_to_num(seen) - pixel, axis=-1))
        large = np.abs(_join(held, "radius") - radius) / radius
        used = np.maximum((~hidden & ~lost).sum(axis=1), 1)
        off = far.sum(axis=1) / used
        if not plain:
            errors.append(np.median(off))
            check.warnings += _name(split, off > PLACE_HARD, f"what is seen is over {PLACE_HARD} px from `pixel`")
            continue
        errors.append(off.mean())
        check.faults += _name(split, lost.any(axis=1), "no object is drawn in some frame")
        check.faults += _name(
            split, (off > PLACE) & ~lost.any(axis=1), f"what is drawn is over {PLACE} px from `pixel`"
        )
        wrong = np.where(hidden | lost, 0.0, large).sum(axis=1) / used > SIZE
        check.faults += _name(
            split, wrong & (off <= PLACE) & (radius.mean(axis=1) >= SMALL), "what is drawn is not of its `radius`"
        )
    if errors:
        check.found = f"what is drawn is {np.mean(errors):.3f} px from `pixel`, on average"
    return check


def _paths(held: _Split) -> NDArray[np.float64]:
    """Return ``(N, T, 2)``: true places, or tracked ones; NaN where nothing is seen."""
    path = held.columns["pixel"] if "pixel" in held.columns else _join(held, "pixel")
    return np.asarray(path, dtype=np.float64)


def _duplicates(splits: dict[str, _Split]) -> Check:
    check = Check("duplicates", found="none, exact or near")
    where = [(split, number) for split, held in splits.items() for number in range(len(held.crc))]
    exact: dict[bytes, list[tuple[str, int]]] = {}
    for place, digest in zip(where, (d for held in splits.values() for d in held.digest), strict=True):
        exact.setdefault(digest, []).append(place)
    groups = [group for group in exact.values() if len(group) > 1]
    across = [group for group in groups if len({split for split, _ in group}) > 1]
    within = len(groups) - len(across)
    if across:
        firsts = [list({split: (split, number) for split, number in reversed(group)}.values()) for group in across]
        named = "; ".join(" = ".join(f"{s} {n}" for s, n in reversed(group)) for group in firsts[:SHOWN])
        check.faults.append(f"{len(across)} clips are in several splits: {named}")
    if within:
        group = next(g for g in groups if len({split for split, _ in g}) == 1)
        named = " = ".join(f"{s} {n}" for s, n in group[:SHOWN])
        check.warnings.append(f"{within} clips are there several times within a split, as {named}")

    paths = np.concatenate([_paths(held) for held in splits.values()])
    whole = np.flatnonzero(np.isfinite(paths).all(axis=(1, 2)))
    if len(whole) < 2:
        return check
    flat = paths[whole].reshape(len(whole), -1)
    pairs = cKDTree(flat).query_pairs(NEAR * np.sqrt(paths.shape[1]), output_type="ndarray")
    digests = [d for held in splits.values() for d in held.digest]
    names = [(where[whole[a]], where[whole[b]]) for a, b in pairs if digests[whole[a]] != digests[whole[b]]]
    if names:
        apart = sum(a[0] != b[0] for a, b in names)
        a, b = next(((a, b) for a, b in names if a[0] != b[0]), names[0])
        check.warnings.append(
            f"{len(names)} pairs of clips run the same path within {NEAR} px, {apart} of them across splits, "
            f"as {a[0]} {a[1]} and {b[0]} {b[1]}"
        )
    return check


def _leaks(splits: dict[str, _Split]) -> Check:
    """Look for what gives a class or a place away without any motion."""
    check = Check("leaks", found="none of those looked for")
    held = splits.get("train") or next(iter(splits.values()))
    path = _paths(held)
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(path).all(axis=-1))
    if not seen.any():
        check.found = "no object found"
        return check
    phase = path[seen] % 1.0
    turn = 2 * np.pi * phase
    usual = np.arctan2(np.sin(turn).mean(axis=0), np.cos(turn).mean(axis=0)) / (2 * np.pi)
    apart = np.abs((phase - usual + 0.5) % 1.0 - 0.5).max(axis=1)
    if (apart < PHASE).mean() > 0.9:
        check.warnings.append(f"centres sit on whole pixels in {(apart < PHASE).mean():.0%} of frames")
    radius = held.columns["radius"] if "radius" in held.columns else np.where(seen, _join(held, "radius"), np.nan)
    means = np.nanmean(np.where(seen, radius, np.nan)[seen.any(axis=1)], axis=1)
    if np.nanstd(means) < CONSTANT * np.nanmean(means) + CONSTANT:
        check.warnings.append(f"all objects have one radius, {np.nanmean(means):.2f} px, whatever the depth")
    if "label" in held.columns:
        check.warnings += _first_frame(path, seen, held.columns["label"])
    return check


def _first_frame(path: NDArray[np.float64], seen: NDArray[np.bool_], label: NDArray[np.int64]) -> list[str]:
    """Guess the class of each clip from that of the clip whose first place is nearest."""
    rows = np.flatnonzero(seen[:, 0])
    counts = np.bincount(label)
    if len(rows) < 40 or (counts > 0).sum() < 2:
        return []
    _, near = cKDTree(path[rows, 0]).query(path[rows, 0], k=2)
    guess = label[rows][near[:, 1]]
    right, chance = float(np.mean(guess == label[rows])), counts.max() / counts.sum()
    margin = 4 * np.sqrt(chance * (1 - chance) / len(rows))
    if right <= chance + margin:
        return []
    return [f"the first place alone gives {right:.0%} of classes (chance {chance:.0%})"]
