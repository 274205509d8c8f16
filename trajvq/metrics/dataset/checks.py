"""The checks of a dataset, each over what was seen of its splits.

N clips, T frames.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from trajvq.data.storage.shards import Manifest
from trajvq.data.synthetic.presets import PRESETS, fingerprint
from trajvq.metrics.tracking import Tracks

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
class SplitSeen:
    """What is kept of a split's clips while its pixels go by."""

    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    crc: list[int] = field(default_factory=list)
    digest: list[bytes] = field(default_factory=list)
    seen: list[Tracks] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    still: list[int] = field(default_factory=list)


def _name(split: str, found: NDArray[np.bool_] | list[int], what: str) -> list[str]:
    """Say which clips, the first few by number."""
    numbers = np.flatnonzero(found).tolist() if isinstance(found, np.ndarray) else found
    if not numbers:
        return []
    more = f" and {len(numbers) - SHOWN:,} more" if len(numbers) > SHOWN else ""
    return [f"{split} clip {', '.join(map(str, numbers[:SHOWN]))}{more}: {what}"]


def check_frozen(manifest: Manifest, splits: dict[str, SplitSeen]) -> list[Check]:
    """Compare the pixels of a frozen benchmark with what they were when it was frozen."""
    frozen = PRESETS[manifest.preset].pixels if manifest.preset in PRESETS else {}
    if not frozen:
        return []
    check = Check("benchmark", found=f"{manifest.preset}, pixel for pixel")
    for split, held in splits.items():
        if fingerprint(np.array(held.crc, dtype=np.uint32)) != frozen.get(split):
            check.faults.append(f"{split} is not that of {manifest.preset}; generate it again with this version")
    return [check]


def check_classes(manifest: Manifest, splits: dict[str, SplitSeen]) -> Check:
    """Check labels and the balance of classes."""
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


def check_values(splits: dict[str, SplitSeen]) -> Check:
    """Check that numbers are numbers and clips show something."""
    check = Check("values", found="finite, in range, and something moves")
    for split, held in splits.items():
        for name, array in held.columns.items():
            if array.dtype.kind == "f" and name != "params":  # params are NaN where a class has fewer
                wrong = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1)).tolist()
                check.faults += _name(split, wrong, f"{name} is not a number")
        check.faults += _name(split, held.blank, "one color and nothing else")
        check.warnings += _name(split, held.still, "nothing moves")
    return check


def check_inside(manifest: Manifest, splits: dict[str, SplitSeen]) -> Check:
    """Check that objects are in the frame."""
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


def _join(held: SplitSeen, name: str) -> NDArray[Any]:
    return np.concatenate([getattr(seen, name) for seen in held.seen])


def check_truth(splits: dict[str, SplitSeen]) -> Check:
    """Check that the ground truth is what is drawn."""
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


def _paths(held: SplitSeen) -> NDArray[np.float64]:
    """Return ``(N, T, 2)``: true places, or tracked ones; NaN where nothing is seen."""
    path = held.columns["pixel"] if "pixel" in held.columns else _join(held, "pixel")
    return np.asarray(path, dtype=np.float64)


def check_duplicates(splits: dict[str, SplitSeen]) -> Check:
    """Look for clips that are there twice, exactly or nearly, within splits and across."""
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


def check_leaks(splits: dict[str, SplitSeen]) -> Check:
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
