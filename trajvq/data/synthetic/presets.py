"""Presets: named datasets with their number of clips, their style and their ranges."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.ranges import Band, Region
from trajvq.data.synthetic.styles import STYLES, Style
from trajvq.errors import DataError, did_you_mean

OOD = ("ood_speed", "ood_size", "ood_color", "ood_hole", "ood_combo")


@dataclass(frozen=True)
class Preset:
    """A named dataset.

    Attributes:
        train: Clips in ``train``.
        val: Clips in ``val``.
        test: Clips in ``test``.
        ood: Clips in each ``ood_*`` split.
        style: Name of a style in `trajvq.data.synthetic.styles.STYLES`.
        band: Training ranges and excluded ranges.
        objects: K, the largest number of objects in a clip.
        clockwise: Whether all thrown objects turn clockwise in the picture, as in bench-v1; else about half of them.
        seed: The only allowed seed of a frozen benchmark; None for any seed.
        pixels: `fingerprint` of every split of a frozen benchmark. It is the same on every processor.
    """

    train: int = 4000
    val: int = 400
    test: int = 400
    ood: int = 400
    style: str = "plain"
    band: Band = field(default_factory=Band)
    objects: int = 1
    clockwise: bool = False
    seed: int | None = None
    pixels: Mapping[str, str] = field(default_factory=dict)

    @property
    def clips(self) -> dict[str, int]:
        """Number of clips by split."""
        return {"train": self.train, "val": self.val, "test": self.test, **dict.fromkeys(OOD, self.ood)}

    @property
    def regions(self) -> Mapping[str, tuple[Region, ...]]:
        """Regions by split."""
        return self.band.regions()

    def make_style(self) -> Style:
        """Return the style that renders the clips."""
        return STYLES[self.style]


SEED200 = Band(
    size=(0.074, 0.092),  # 4.7 to 5.9 px of 64
    size_large=0.086,
    size_beyond=((0.060, 0.070), (0.098, 0.110)),
    speed=(0.30, 0.64),
    speed_hole=(0.46, 0.52),
    speed_fast=0.58,
    speed_beyond=((0.16, 0.26), (0.67, 0.70)),
    lightness=(0.42, 0.58),
    lightness_beyond=((0.25, 0.36), (0.64, 0.72)),
    hue=(0.60, 0.72),  # blue
    hue_marked=0.63,
)

HARD = Band(
    size=(0.0235, 0.050),  # from 1.5 px of 64
    size_beyond=((0.018, 0.0215), (0.054, 0.072)),
    lightness=(0.15, 0.45),
    lightness_beyond=((0.08, 0.12), (0.50, 0.58)),
)

BENCH_V1 = {
    "train": "342aca4b05f22e7e",
    "val": "160cbf1be127b9cd",
    "test": "e135ce6bc179e1bf",
    "ood_speed": "4f32b883c375791f",
    "ood_size": "d5b374c1d1e67bae",
    "ood_color": "dce554c2cbeca67f",
    "ood_hole": "a999ed8789dfedf1",
    "ood_combo": "54305048ef02a062",
}

PRESETS: dict[str, Preset] = {
    "default": Preset(),
    "seed200": Preset(train=144, val=16, test=40, ood=40, style="outlined", band=SEED200),
    "scale30k": Preset(train=24_000, val=2_000, test=2_000),
    "hard": Preset(style="hard", band=HARD),
    "scenes": Preset(objects=4),
    "bench-v1": Preset(clockwise=True, seed=1, pixels=BENCH_V1),
}


def fingerprint(crc32: NDArray[np.uint32]) -> str:
    """Return a short hash of the pixels of a split, computed from the CRC-32 of its clips in order."""
    return hashlib.sha256(crc32.astype("<u4").tobytes()).hexdigest()[:16]


def preset_named(name: str) -> Preset:
    """Return the preset of a name.

    Raises:
        DataError: If the name is unknown.
    """
    if name not in PRESETS:
        raise DataError(f"unknown preset {name!r}{did_you_mean(name, PRESETS)} (one of: {', '.join(PRESETS)})")
    return PRESETS[name]
