"""Sample paths with the appearance of their objects, and say in words and equations what they are.

M paths, T frames, P parameters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.family import DECIMALS
from trajvq.data.synthetic.motion import FAMILIES, Motion, Parabolic
from trajvq.data.synthetic.placement import Placement
from trajvq.data.synthetic.presets import Preset
from trajvq.data.synthetic.ranges import APPEARANCE, sample_appearance
from trajvq.io.arrays import Bytes, Floats

UNIFORMS = 32  # uniform numbers per path: 1 for the region, then those of APPEARANCE, then those of the family


def colors_of(appearance: Mapping[str, Floats]) -> Bytes:
    """Convert ``(N,)`` hues, lightness and saturations in [0, 1] to ``(N, 3)`` RGB bytes."""
    hue, lightness, saturation = (appearance[name] for name in ("hue", "lightness", "saturation"))
    offset = (np.array([0.0, 8.0, 4.0]) + 12 * hue[:, None]) % 12
    chroma = saturation * np.minimum(lightness, 1 - lightness)
    wave = np.clip(np.minimum(offset - 3, 9 - offset), -1, 1)
    return np.asarray(np.rint(255 * (lightness[:, None] - chroma[:, None] * wave)).astype(np.uint8))


def hue_names(rgb: Bytes) -> list[str]:
    """Return a one-word name for each color of ``(N, 3)`` RGB bytes."""
    wheel = {"red": 0, "orange": 30, "yellow": 60, "green": 120, "cyan": 180, "blue": 240, "magenta": 300}
    red, green, blue = rgb.astype(float).T
    hue = np.rad2deg(np.arctan2(3**0.5 * (green - blue), 2 * red - green - blue))
    distance = np.abs((hue[:, None] - np.array(list(wheel.values())) + 180) % 360 - 180)
    return [list(wheel)[k] for k in distance.argmin(axis=1)]


@dataclass(frozen=True)
class Paths:
    """M sampled paths.

    Attributes:
        label: ``(M,)`` numbers of their families.
        appearance: ``(M,)`` values by name, see `trajvq.data.synthetic.ranges.APPEARANCE`.
        params: ``(M, P)`` parameters of the equations, NaN where a family has fewer.
    """

    label: NDArray[np.int64]
    appearance: dict[str, Floats]
    params: Floats

    @property
    def color(self) -> Bytes:
        """``(M, 3)`` RGB."""
        return colors_of(self.appearance)

    def each(self) -> Iterator[tuple[NDArray[np.int64], Motion, Floats]]:
        """Yield for every family the rows of its paths, the family, and their parameters without padding."""
        for number, motion in enumerate(FAMILIES):
            rows = np.flatnonzero(self.label == number)
            yield rows, motion, self.params[rows, : len(motion.parameters())]

    def positions(self, time: Floats) -> Floats:
        """Return ``(M, T, 3)`` world coordinates."""
        position = np.empty((len(self.label), len(time), 3))
        for rows, motion, params in self.each():
            position[rows] = motion.position(params, time)
        return position

    def view_axes(self, clockwise: bool) -> Floats:
        """Return ``(M, 3)`` unit vectors: the directions from which the shape of each path shows best.

        Args:
            clockwise: See `trajvq.data.synthetic.presets.Preset`.
        """
        axis = np.empty((len(self.label), 3))
        for rows, motion, params in self.each():
            if clockwise and isinstance(motion, Parabolic):
                axis[rows] = motion.clockwise_axis(params)
            else:
                axis[rows] = motion.view_axis(params)
        return axis

    def moved(self, placement: Placement) -> "Paths":
        """Return the same paths where a placement puts them."""
        moved = self.params.copy()
        for rows, motion, params in self.each():
            there = motion.moved(params, placement.rotation[rows], placement.shift[rows])
            moved[rows, : params.shape[1]] = np.round(there, DECIMALS)
        return replace(self, params=moved)

    def texts(self, radius: Floats) -> tuple[list[str], list[str]]:
        """Return equations and descriptions of paths of objects with ``(M, T)`` radii in px."""
        equations, motions = [""] * len(self.label), [""] * len(self.label)
        for rows, motion, params in self.each():
            for row, equation, words in zip(rows, motion.equations(params), motion.describe(params), strict=True):
                equations[row], motions[row] = equation, words
        named = zip(hue_names(self.color), radius.mean(axis=1).tolist(), motions, strict=True)
        return equations, [f"A {hue} ball of radius {size:.1f} px {words}." for hue, size, words in named]


def sample_paths(preset: Preset, split: str, label: NDArray[np.int64], numbers: Floats) -> Paths:
    """Sample paths and appearances.

    Args:
        preset: The preset.
        split: Split of the clips.
        label: ``(M,)`` numbers of the families.
        numbers: ``(M, UNIFORMS)`` uniform numbers in [0, 1).
    """
    appearance = sample_appearance(preset.regions[split], numbers)
    params = np.full((len(label), max(len(motion.parameters()) for motion in FAMILIES)), np.nan)
    for number, motion in enumerate(FAMILIES):
        rows = np.flatnonzero(label == number)
        u = numbers[rows, 1 + len(APPEARANCE) :]
        sampled = {name: interval(u[:, k]) for k, (name, interval) in enumerate(motion.ranges.items())}
        solved = np.round(motion.solve(sampled), DECIMALS)
        params[rows, : solved.shape[1]] = solved
    return Paths(label, appearance, params)
