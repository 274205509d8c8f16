"""The ranges that clip parameters come from, and the regions of them that training never covers.

The generator samples from these tables, the manifest records them, and tests check clips against them.
A preset has a `Band`: the training ranges, and test ranges below them, above them and in a gap between them.
A split is a union of regions, and a region is a product of intervals. A parameter that a region does not name
keeps its full range. The training regions exclude the regions of the ``ood_*`` splits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats

Interval = tuple[float, float]
Region = Mapping[str, tuple[Interval, ...]]


@dataclass(frozen=True)
class Range:
    """A numeric range ``[low, high)`` with its meaning and unit in words."""

    low: float
    high: float
    unit: str

    def __call__(self, uniform: Floats) -> Floats:
        """Map uniform numbers in [0, 1) to the range."""
        return self.low + (self.high - self.low) * uniform


# How the object and its path appear in the picture: the widest ranges of all presets. The parameters of the motion
# itself have their own ranges in each motion family. A frame width is the shorter side of the picture, see
# `trajvq.data.synthetic.camera.frame`; the words stay as they are, since the hashes of manifests cover them.
APPEARANCE: dict[str, Range] = {
    "size": Range(0.017, 0.125, "mean apparent radius, in frame widths"),
    "speed": Range(0.16, 0.84, "apparent length of the path, in frame widths"),
    "hue": Range(0.0, 1.0, "hue of the object, in turns of the color circle"),
    "lightness": Range(0.08, 0.75, "HLS lightness of the object"),
    "saturation": Range(0.5, 1.0, "HLS saturation of the object"),
    "direction": Range(0.0, 1.0, "heading of the first step in the picture, in turns, clockwise from right"),
    "pan_x": Range(0.0, 1.0, "position of the path within the frame, left to right"),
    "pan_y": Range(0.0, 1.0, "position of the path within the frame, top to bottom"),
    "view_tilt": Range(0.0, 60.0, "degrees between the line of sight and the best view direction of the path"),
    "view_azimuth": Range(0.0, 360.0, "direction of that tilt around the best view direction, in degrees"),
    "distance": Range(5.0, 10.0, "distance of the camera, in radii of the path"),
}

Beyond = tuple[Interval, Interval]  # below and above a training range


@dataclass(frozen=True)
class Band:
    """The training ranges of a preset, and the test ranges that training excludes.

    Attributes:
        size: Training sizes.
        size_large: Lower limit of large objects. Objects both large and fast belong to ``ood_combo``.
        size_beyond: Sizes of ``ood_size``.
        speed: Training speeds, except for the gap.
        speed_hole: The gap, the speeds of ``ood_hole``.
        speed_fast: Lower limit of fast objects.
        speed_beyond: Speeds of ``ood_speed``.
        lightness: Training lightness.
        lightness_beyond: Lightness of ``ood_color``.
        hue: Training hues.
        hue_marked: Objects of a lower hue never head right and down in training; ``ood_combo`` has them.
    """

    size: Interval = (0.028, 0.050)
    size_large: float = 0.044
    size_beyond: Beyond = ((0.024, 0.026), (0.054, 0.072))
    speed: Interval = (0.36, 0.78)
    speed_hole: Interval = (0.54, 0.60)
    speed_fast: float = 0.68
    speed_beyond: Beyond = ((0.20, 0.33), (0.81, 0.84))
    lightness: Interval = (0.25, 0.60)
    lightness_beyond: Beyond = ((0.08, 0.20), (0.65, 0.75))
    hue: Interval = (0.0, 1.0)
    hue_marked: float = 0.2

    def regions(self) -> dict[str, tuple[Region, ...]]:
        """Return the regions of every split. The training regions exclude those of the ``ood_*`` splits."""
        slow, hole = (self.speed[0], self.speed_hole[0]), self.speed_hole
        training: Region = {
            "size": (self.size,),
            "speed": (slow, (hole[1], self.speed[1])),
            "lightness": (self.lightness,),
            "hue": (self.hue,),
        }
        large, small = ((self.size_large, self.size[1]),), ((self.size[0], self.size_large),)
        fast, not_fast = ((self.speed_fast, self.speed[1]),), (slow, (hole[1], self.speed_fast))
        marked, other = ((self.hue[0], self.hue_marked),), ((self.hue_marked, self.hue[1]),)
        down_right, elsewhere = ((0.0, 0.25),), ((0.25, 1.0),)
        train: tuple[Region, ...] = tuple(
            {**training, **size_speed, **hue_direction}
            for size_speed in ({"size": small}, {"size": large, "speed": not_fast})
            for hue_direction in ({"hue": other}, {"hue": marked, "direction": elsewhere})
        )
        return {
            "train": train,
            "val": train,
            "test": train,
            "ood_speed": tuple({**r, "speed": self.speed_beyond} for r in train[:2]),
            "ood_size": tuple({**r, "size": self.size_beyond} for r in train[:2]),
            "ood_color": tuple({**r, "lightness": self.lightness_beyond} for r in train),
            "ood_hole": tuple({**r, "speed": (hole,)} for r in train[:2]),
            "ood_combo": (
                {**training, "size": large, "speed": fast},
                {**training, "hue": marked, "direction": down_right},
            ),
        }


def intervals(region: Region, name: str) -> tuple[Interval, ...]:
    """Return the intervals a region allows for a parameter of `APPEARANCE`."""
    return region.get(name, ((APPEARANCE[name].low, APPEARANCE[name].high),))


def _length(parts: Sequence[Interval]) -> float:
    return sum(high - low for low, high in parts)


def sample_appearance(regions: Sequence[Region], numbers: Floats) -> dict[str, Floats]:
    """Sample the appearance of N clips uniformly from a union of disjoint regions.

    Args:
        regions: Regions of one split.
        numbers: ``(N, 1 + len(APPEARANCE))`` or more uniform numbers in [0, 1). The first chooses the region of a clip,
            in proportion to volume; one for each name in `APPEARANCE` follows.

    Returns:
        ``(N,)`` values for every name in `APPEARANCE`.
    """
    volumes = np.array([prod(_length(intervals(region, name)) for name in APPEARANCE) for region in regions])
    chosen = np.searchsorted(np.cumsum(volumes / volumes.sum()), numbers[:, 0], side="right").clip(max=len(regions) - 1)
    appearance = {name: np.empty(len(numbers)) for name in APPEARANCE}
    for number, region in enumerate(regions):
        rows = np.flatnonzero(chosen == number)
        for column, name in enumerate(APPEARANCE, 1):
            parts = np.array(intervals(region, name))
            ends = np.cumsum(parts[:, 1] - parts[:, 0])
            offset = numbers[rows, column] * ends[-1]
            part = np.searchsorted(ends, offset, side="right").clip(max=len(parts) - 1)
            appearance[name][rows] = parts[part, 1] - (ends[part] - offset)
    return appearance


def inside(regions: Sequence[Region], params: Mapping[str, Floats], slack: float = 0.0) -> NDArray[np.bool_]:
    """Return which of N clips lie in a union of regions.

    Args:
        regions: Regions of one split.
        params: ``(N,)`` values for some names of `APPEARANCE`; the others are not checked.
        slack: Tolerance added to both ends of every interval.

    Returns:
        ``(N,)`` bool.
    """
    in_any = np.zeros(len(next(iter(params.values()))), dtype=bool)
    for region in regions:
        in_region = np.ones(len(in_any), dtype=bool)
        for name, value in params.items():
            parts = intervals(region, name)
            in_region &= np.any([(low - slack <= value) & (value <= high + slack) for low, high in parts], axis=0)
        in_any |= in_region
    return in_any
