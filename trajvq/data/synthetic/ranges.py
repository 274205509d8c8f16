"""What varies between clips and how far: the one table of numeric ranges and withheld regions.

The generator draws from it, the manifest records it and the tests check clips against it.
A preset has a `Band`: what training shows, and what lies beyond it on both sides and in a gap within.
A split is a union of regions; a region is a product of intervals. Parameters that a region
does not name keep their default range. The training regions leave out what the ``ood_*``
splits hold, so nothing out of distribution is ever seen in training.
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
    """A numeric range ``[low, high)`` with its unit in words."""

    low: float
    high: float
    unit: str

    def __call__(self, uniform: Floats) -> Floats:
        """Map uniform numbers in [0, 1) onto the range."""
        return self.low + (self.high - self.low) * uniform


# The look of a clip, whatever the motion; the widest any preset uses. Motion families bring ranges of their own.
LOOK: dict[str, Range] = {
    "size": Range(0.017, 0.125, "mean apparent radius, in frame widths"),
    "speed": Range(0.16, 0.84, "apparent path length of the clip, in frame widths"),
    "hue": Range(0.0, 1.0, "hue of the object, in turns of the color circle"),
    "lightness": Range(0.08, 0.75, "HLS lightness of the object"),
    "saturation": Range(0.5, 1.0, "HLS saturation of the object"),
    "direction": Range(0.0, 1.0, "heading of the first step in the picture, in turns, clockwise from right"),
    "pan_x": Range(0.0, 1.0, "place of the path within the frame, left to right"),
    "pan_y": Range(0.0, 1.0, "place of the path within the frame, top to bottom"),
    "view_tilt": Range(0.0, 60.0, "degrees between the line of sight and the direction that shows the path best"),
    "view_azimuth": Range(0.0, 360.0, "degrees of that tilt around the best direction"),
    "distance": Range(5.0, 10.0, "camera distance, in radii of the path"),
}

Beyond = tuple[Interval, Interval]  # below and above what training shows


@dataclass(frozen=True)
class Band:
    """What the clips of a preset show in training, and what is withheld from it.

    Attributes:
        size: Training sizes.
        size_large: From here on an object is large; large and fast together are withheld.
        size_beyond: ``ood_size``.
        speed: Training speeds.
        speed_hole: The gap in them, ``ood_hole``.
        speed_fast: From here on a clip is fast.
        speed_beyond: ``ood_speed``.
        lightness: Training lightness.
        lightness_beyond: ``ood_color``.
        hue: Training hues.
        hue_marked: Below this hue, heading right and down is withheld.
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
        """Return the regions of every split; the training regions leave out what the ``ood_*`` splits hold."""
        slow, hole = (self.speed[0], self.speed_hole[0]), self.speed_hole
        shown: Region = {
            "size": (self.size,),
            "speed": (slow, (hole[1], self.speed[1])),
            "lightness": (self.lightness,),
            "hue": (self.hue,),
        }
        large, small = ((self.size_large, self.size[1]),), ((self.size[0], self.size_large),)
        fast, tame = ((self.speed_fast, self.speed[1]),), (slow, (hole[1], self.speed_fast))
        marked, other = ((self.hue[0], self.hue_marked),), ((self.hue_marked, self.hue[1]),)
        down_right, elsewhere = ((0.0, 0.25),), ((0.25, 1.0),)
        train: tuple[Region, ...] = tuple(
            {**shown, **size_speed, **hue_direction}
            for size_speed in ({"size": small}, {"size": large, "speed": tame})
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
                {**shown, "size": large, "speed": fast},
                {**shown, "hue": marked, "direction": down_right},
            ),
        }


def intervals(region: Region, name: str) -> tuple[Interval, ...]:
    """Return the intervals a region allows for a parameter of `LOOK`."""
    return region.get(name, ((LOOK[name].low, LOOK[name].high),))


def _length(parts: Sequence[Interval]) -> float:
    return sum(high - low for low, high in parts)


def sample_appearance(regions: Sequence[Region], choose: Floats, uniform: Mapping[str, Floats]) -> dict[str, Floats]:
    """Draw the look of N clips uniformly from a union of disjoint regions.

    Args:
        regions: Regions of one split.
        choose: ``(N,)`` uniform numbers in [0, 1) that pick each clip's region by its volume.
        uniform: ``(N,)`` uniform numbers in [0, 1) for every name in `LOOK`.

    Returns:
        ``(N,)`` values for every name in `LOOK`.
    """
    volumes = np.array([prod(_length(intervals(region, name)) for name in LOOK) for region in regions])
    chosen = np.searchsorted(np.cumsum(volumes / volumes.sum()), choose, side="right").clip(max=len(regions) - 1)
    look = {name: np.empty(len(choose)) for name in LOOK}
    for number, region in enumerate(regions):
        rows = np.flatnonzero(chosen == number)
        for name in LOOK:
            parts = np.array(intervals(region, name))
            ends = np.cumsum(parts[:, 1] - parts[:, 0])
            along = uniform[name][rows] * ends[-1]
            part = np.searchsorted(ends, along, side="right").clip(max=len(parts) - 1)
            look[name][rows] = parts[part, 1] - (ends[part] - along)
    return look


def inside(regions: Sequence[Region], look: Mapping[str, Floats], slack: float = 0.0) -> NDArray[np.bool_]:
    """Say which of N clips lie in a union of regions, for the names that `look` holds.

    Args:
        regions: Regions of one split.
        look: ``(N,)`` values for some names of `LOOK`.
        slack: Tolerance added to both ends of every interval.

    Returns:
        ``(N,)`` bool.
    """
    count = len(next(iter(look.values())))
    found = np.zeros(count, dtype=bool)
    for region in regions:
        fits = np.ones(count, dtype=bool)
        for name, value in look.items():
            parts = intervals(region, name)
            fits &= np.any([(low - slack <= value) & (value <= high + slack) for low, high in parts], axis=0)
        found |= fits
    return found
