"""Checks of a dataset's columns against its manifest, and what all checks need of its clips.

N clips, T frames, K objects.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.manifest import Manifest
from trajvq.data.storage.shards import SCHEMA
from trajvq.data.synthetic.presets import PRESETS, fingerprint
from trajvq.io.arrays import Floats
from trajvq.metrics.tracking import Tracks

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

    @property
    def exists(self) -> NDArray[np.bool_]:
        """``(N, K)``: which objects a clip has, by its stored positions."""
        return np.asarray(np.isfinite(self.columns["pixel"]).any(axis=(1, 3)))

    @property
    def visible(self) -> NDArray[np.bool_]:
        """``(N, T, K)``: frames in which an object exists and is not occluded."""
        exists = np.broadcast_to(self.exists[:, None], self.columns["radius"].shape)
        return exists & ~self.columns["occluded"] if "occluded" in self.columns else exists

    @property
    def paths(self) -> Floats:
        """``(N, T, K, 2)`` px: stored positions, or those of the largest tracked object; NaN where there is none."""
        path = self.columns["pixel"] if "pixel" in self.columns else self._largest("pixel")
        return np.asarray(path, dtype=np.float64)

    @property
    def radii(self) -> Floats:
        """``(N, T, K)`` px of the same objects."""
        radius = self.columns["radius"] if "radius" in self.columns else self._largest("radius")
        return np.asarray(radius, dtype=np.float64)

    def _largest(self, name: str) -> NDArray[Any]:
        return np.concatenate([getattr(block, name)[:, :, :1] for block in self.tracks])


def name_clips(split: str, clips: NDArray[np.bool_] | np.bool_ | list[int], problem: str) -> list[str]:
    """Return a message that names the first few clips, a mask or numbers; empty without any."""
    numbers = clips if isinstance(clips, list) else np.flatnonzero(clips).tolist()
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
        check.faults += name_clips(split, unnamed, "its label has no name in the manifest")
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
    """Check that columns are finite, objects that a clip does not have left out, and that something moves."""
    check = Check("values", summary="finite, in range, and something moves")
    for split, contents in splits.items():
        columns = contents.columns
        if "pixel" in columns:
            check.faults += name_clips(split, ~contents.exists.any(axis=1), "pixel is not a number")
        for name, array in columns.items():
            if array.dtype.kind != "f" or name == "params":  # classes with fewer parameters have NaN in params
                continue
            finite = np.isfinite(array)
            if "K" in SCHEMA[name][1] and "pixel" in columns:
                missing = ~contents.exists[:, None]
                finite |= missing[..., None] if array.ndim == 4 else missing
            wrong = ~finite.reshape(len(array), -1).all(axis=1)
            if "pixel" in columns:
                wrong &= contents.exists.any(axis=1)
            check.faults += name_clips(split, wrong, f"{name} is not a number")
        check.warnings += name_clips(split, contents.blank, "all pixels have the same color, so nothing moves")
        check.warnings += name_clips(split, contents.still, "nothing moves")
    return check
