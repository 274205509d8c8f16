"""Checks of a dataset's columns against its manifest and its pixels.

N clips, T frames.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.manifest import Manifest
from trajvq.data.synthetic.presets import PRESETS, fingerprint
from trajvq.io.arrays import Floats
from trajvq.metrics.tracking import Tracks

POSITION_TOLERANCE = 0.25  # px between tracked objects and `pixel`, mean of a clip; on a plain background
TEXTURED_TOLERANCE = 2.0  # px, with pictures behind the object, noise and occlusion
RADIUS_TOLERANCE = 0.35  # share of the radius by which a tracked object may miss `radius`
SMALL_RADIUS = 1.0  # px below which a disc has too few pixels to measure its radius
NAMED = 3  # clips that a message names


@dataclass
class Check:
    """One line of the verification.

    Attributes:
        name: What is checked.
        faults: What is wrong; any makes the dataset invalid.
        warnings: What a model could exploit.
        summary: What the check says without faults and warnings.
    """

    name: str
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    summary: str = ""


@dataclass
class SplitContents:
    """What the checks need of a split, collected while its clips are read.

    Attributes:
        columns: All columns but the video and pictures, by name.
        crc: CRC-32 of every clip's pixels.
        digest: Hash of every clip's pixels.
        tracks: Tracked objects, one entry for each block of clips.
        blank: Numbers of clips of a single color.
        still: Numbers of other clips without any change over time.
    """

    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    crc: list[int] = field(default_factory=list)
    digest: list[bytes] = field(default_factory=list)
    tracks: list[Tracks] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    still: list[int] = field(default_factory=list)

    def tracked(self, name: str) -> NDArray[Any]:
        """Return an attribute of `Tracks` for all clips, that of the largest object of each frame."""
        values = [getattr(block, name) for block in self.tracks]
        return np.concatenate([value if name == "count" else value[:, :, 0] for value in values])

    @property
    def paths(self) -> Floats:
        """``(N, T, 2)`` px: stored positions, or tracked ones; NaN where there is no object."""
        path = self.columns["pixel"][:, :, 0] if "pixel" in self.columns else self.tracked("pixel")
        return np.asarray(path, dtype=np.float64)


def _name_clips(split: str, clips: NDArray[np.bool_] | list[int], problem: str) -> list[str]:
    """Return a message that names the first few clips, a mask or numbers; empty without any."""
    numbers = np.flatnonzero(clips).tolist() if isinstance(clips, np.ndarray) else clips
    if not numbers:
        return []
    more = f" and {len(numbers) - NAMED:,} more" if len(numbers) > NAMED else ""
    return [f"{split} clip {', '.join(map(str, numbers[:NAMED]))}{more}: {problem}"]


def check_frozen(manifest: Manifest, splits: dict[str, SplitContents]) -> list[Check]:
    """Compare the pixels of a frozen benchmark with their fingerprint; no check for other datasets."""
    frozen = PRESETS[manifest.preset].pixels if manifest.preset in PRESETS else {}
    if not frozen:
        return []
    check = Check("benchmark", summary=f"{manifest.preset}, pixel for pixel")
    for split, contents in splits.items():
        if fingerprint(np.array(contents.crc, dtype=np.uint32)) != frozen.get(split):
            check.faults.append(f"{split} is not that of {manifest.preset}; generate it again with this version")
    return [check]


def check_classes(manifest: Manifest, splits: dict[str, SplitContents]) -> Check:
    """Check that labels have names and that classes are balanced."""
    few = len(manifest.classes) < 12
    check = Check("classes", summary=", ".join(manifest.classes) if few else f"{len(manifest.classes)}")
    for split, contents in splits.items():
        if "label" not in contents.columns:
            check.summary = "no labels"
            continue
        label = contents.columns["label"]
        unnamed = (label < 0) | (label >= len(manifest.classes))
        check.faults += _name_clips(split, unnamed, "its label has no name in the manifest")
        if check.faults:
            continue
        counts = np.bincount(label, minlength=len(manifest.classes))
        if counts.min() == 0 and len(label) >= 4 * len(counts):
            check.warnings.append(f"{split} has no clip of {manifest.classes[int(counts.argmin())]}")
        elif counts.max() > 2 * counts.min() and len(label) >= 4 * len(counts):
            low, high = (manifest.classes[int(k)] for k in (counts.argmin(), counts.argmax()))
            check.warnings.append(f"{split} has {counts.max()} clips of {high} but {counts.min()} of {low}")
    return check


def check_values(splits: dict[str, SplitContents]) -> Check:
    """Check that columns are finite and that clips show something that moves."""
    check = Check("values", summary="finite, in range, and something moves")
    for split, contents in splits.items():
        for name, array in contents.columns.items():
            if array.dtype.kind == "f" and name != "params":  # classes with fewer parameters have NaN in params
                wrong = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
                check.faults += _name_clips(split, wrong, f"{name} is not a number")
        check.faults += _name_clips(split, contents.blank, "all pixels have the same color")
        check.warnings += _name_clips(split, contents.still, "nothing moves")
    return check


def check_inside(manifest: Manifest, splits: dict[str, SplitContents]) -> Check:
    """Check that objects are inside the frame."""
    check = Check("in frame", summary="every object, completely")
    size = np.array([manifest.width, manifest.height])
    for split, contents in splits.items():
        if "pixel" not in contents.columns or "radius" not in contents.columns:
            check.summary = "no pixel or radius stored"
            continue
        pixel, radius = contents.columns["pixel"][:, :, 0], contents.columns["radius"]
        outside = np.asarray(((pixel < 0) | (pixel > size)).any(axis=(1, 2)))
        cut = np.asarray(((pixel - radius < 0) | (pixel + radius > size)).any(axis=(1, 2)) & ~outside)
        check.faults += _name_clips(split, outside, "its object leaves the frame")
        check.warnings += _name_clips(split, cut, "its object is cut by the edge of the frame")
    return check


def check_truth(splits: dict[str, SplitContents]) -> Check:
    """Check that tracked objects have the stored position and radius."""
    check = Check("ground truth")
    errors = []
    for split, contents in splits.items():
        columns = contents.columns
        if "pixel" not in columns or "radius" not in columns:
            check.summary = "no pixel or radius stored; the checks below use tracked objects"
            continue
        pixel, radius = columns["pixel"][:, :, 0].astype(float), columns["radius"][:, :, 0].astype(float)
        hidden = columns["occluded"][:, :, 0] if "occluded" in columns else np.zeros(radius.shape, dtype=bool)
        lost = (contents.tracked("count") == 0) & ~hidden
        counted = ~hidden & ~lost
        frames = np.maximum(counted.sum(axis=1), 1)
        distance = np.linalg.norm(np.nan_to_num(contents.tracked("pixel")) - pixel, axis=-1)
        error = np.where(counted, distance, 0.0).sum(axis=1) / frames
        if "background" not in columns or columns["background"].ndim != 2:
            errors.append(np.median(error))
            far = error > TEXTURED_TOLERANCE
            check.warnings += _name_clips(split, far, f"its object is over {TEXTURED_TOLERANCE} px from `pixel`")
            continue
        errors.append(error.mean())
        missing, far = lost.any(axis=1), error > POSITION_TOLERANCE
        check.faults += _name_clips(split, missing, "some frame shows no object")
        check.faults += _name_clips(split, far & ~missing, f"its object is over {POSITION_TOLERANCE} px from `pixel`")
        radius_error = np.abs(contents.tracked("radius") - radius) / radius
        wrong = np.where(counted, radius_error, 0.0).sum(axis=1) / frames > RADIUS_TOLERANCE
        wrong &= (error <= POSITION_TOLERANCE) & (radius.mean(axis=1) >= SMALL_RADIUS)
        check.faults += _name_clips(split, wrong, "its object does not have its `radius`")
    if errors:
        check.summary = f"objects are {np.mean(errors):.3f} px from `pixel` on average"
    return check
