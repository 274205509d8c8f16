"""The motion families and their registry, in the order of their labels.

A family is one subclass of `trajvq.data.synthetic.family.Motion` with the decorator `@family`.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np

from trajvq.data.synthetic.family import Motion, Nonlinear
from trajvq.data.synthetic.ranges import Range
from trajvq.io.arrays import Floats

__all__ = [
    "AZIMUTH",
    "CENTER",
    "FAMILIES",
    "OMEGA",
    "TURN",
    "Motion",
    "Nonlinear",
    "center_of",
    "families_named",
    "family",
    "format_points",
    "perpendicular",
    "unit_vector",
]

TURN = 2 * np.pi

CENTER = {axis: Range(-1.0, 1.0, f"{axis} of the path's center, world units") for axis in ("x", "y", "z")}
AZIMUTH = Range(0.0, 360.0, "degrees around the vertical")


def unit_vector(azimuth: Floats, elevation: Floats) -> Floats:
    """Return ``(N, 3)`` unit vectors from angles in degrees."""
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    return np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], axis=-1)


def center_of(sample: Mapping[str, Floats]) -> Floats:
    """Return the ``(N, 3)`` centers of paths from the sampled values of `CENTER`."""
    return np.stack([sample[axis] for axis in CENTER], axis=-1)


def perpendicular(axis: Floats) -> tuple[Floats, Floats]:
    """Return two more unit vectors for each of ``(N, 3)``, which complete a right-handed frame."""
    reference = np.where(np.abs(axis[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    first = np.cross(reference, axis)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return first, np.cross(axis, first)


def format_points(vectors: Floats) -> list[str]:
    """Format ``(N, 3)`` vectors for descriptions."""
    return [f"({x:.2f}, {y:.2f}, {z:.2f})" for x, y, z in vectors.tolist()]


FAMILIES: list[Motion] = []


def family(cls: type[Motion]) -> type[Motion]:
    """Register a motion family. Its label is the number of families registered before it.

    Raises:
        ValueError: If there is a family of this name, or coefficients do not fit the basis functions.
    """
    if cls.basis[:1] != ("1",) or len(cls.basis) != len(cls.coefficients):
        raise ValueError(f"motion family {cls.name!r} needs the basis function 1 first and a coefficient for each")
    if families_named([cls.name]):
        raise ValueError(f"motion family {cls.name!r} is registered twice; give {cls.__name__} another name")
    FAMILIES.append(cls())
    return cls


def families_named(classes: Iterable[str]) -> tuple[Motion, ...]:
    """Return the registered families among some classes, those with the fewest unknowns first."""
    names = set(classes)
    return tuple(sorted((motion for motion in FAMILIES if motion.name in names), key=lambda motion: motion.unknowns))


@family
class Linear(Motion):
    """Constant velocity."""

    name = "linear"
    basis = ("1", "t")
    coefficients = ("start", "velocity")
    ranges: ClassVar[dict[str, Range]] = {
        **CENTER,
        "length": Range(0.8, 1.6, "length of the path, world units"),
        "azimuth": AZIMUTH,
        "elevation": Range(-60.0, 60.0, "degrees of the path above the horizontal"),
    }
    invariant = (*CENTER, "length")

    def solve(self, sample: Mapping[str, Floats]) -> Floats:
        velocity = sample["length"][:, None] * unit_vector(sample["azimuth"], sample["elevation"])
        return np.concatenate([center_of(sample) - velocity / 2, velocity], axis=-1)

    def view_axis(self, params: Floats) -> Floats:
        heading = params[:, 3:6] / np.linalg.norm(params[:, 3:6], axis=-1, keepdims=True)
        return perpendicular(heading)[0]

    def describe(self, params: Floats) -> list[str]:
        ends = zip(format_points(params[:, :3]), format_points(params[:, 3:6]), strict=True)
        return [f"moves in a straight line from {start} with constant velocity {velocity}" for start, velocity in ends]


# A rotation may have any number of turns when the question is whether it resembles another motion. The judge accepts
# 0.75 turns or more, because a shorter arc seen in perspective is a parabola too.
OMEGA = Nonlinear(tuple((TURN * np.arange(0.3, 3.01, 0.15)).tolist()), low=TURN * 0.75, high=TURN * 3.2)


class Turning(Motion):
    """Base class of uniform rotations. The last two basis functions are the cosine and the sine of the angle."""

    nonlinear: ClassVar[Mapping[str, Nonlinear]] = {"omega": OMEGA}
    invariant = (*CENTER, "radius")

    def slopes(self, time: Floats, nonlinear: Floats) -> Floats:
        angle = nonlinear * time
        slopes = np.zeros((1, *angle.shape, len(self.basis)))
        slopes[0, ..., -2], slopes[0, ..., -1] = -time * np.sin(angle), time * np.cos(angle)
        return slopes

    def _rotation(self, sample: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the axis, the cosine and sine coefficients ``(N, 3)`` and the angular velocity ``(N, 1)``."""
        axis = unit_vector(sample["azimuth"], 90.0 - sample["tilt"])
        first, second = perpendicular(axis)
        phase, radius = TURN * sample["phase"][:, None], sample["radius"][:, None]
        cosine = radius * (np.cos(phase) * first + np.sin(phase) * second)
        sine = radius * (-np.sin(phase) * first + np.cos(phase) * second)
        omega = TURN * sample["turns"] * np.where(sample["sense"] < 0, -1.0, 1.0)
        return axis, cosine, sine, omega[:, None]

    def _normal(self, params: Floats) -> Floats:
        normal = np.cross(params[:, -7:-4], params[:, -4:-1])
        return np.asarray(normal / np.linalg.norm(normal, axis=-1, keepdims=True))

    def _words(self, params: Floats) -> list[str]:
        radius, omega = np.linalg.norm(params[:, -7:-4], axis=-1), params[:, -1]
        up = self._normal(params)[:, 2]
        tilt = np.rad2deg(np.arccos(np.minimum(1.0, np.abs(up))))
        sense = np.where(omega * up > 0, "counter-clockwise", "clockwise")
        rows = zip(radius.tolist(), (np.abs(omega) / TURN).tolist(), sense.tolist(), tilt.tolist(), strict=True)
        return [
            f"radius {r:.3f}, {turns:.2f} turns {s} seen from above, tilted {angle:.0f} degrees"
            for r, turns, s, angle in rows
        ]


_TURNING_RANGES = {
    **CENTER,
    "radius": Range(0.4, 0.8, "radius of the turn, world units"),
    "phase": Range(0.0, 1.0, "angle at the first frame, in turns"),
    "sense": Range(-1.0, 1.0, "sign: sense of rotation"),
    "azimuth": AZIMUTH,
    "tilt": Range(0.0, 90.0, "degrees between the axis and the vertical"),
}


@family
class Circular(Turning):
    """Uniform motion on a tilted circle."""

    name = "circular"
    basis = ("1", "cos(omega*t)", "sin(omega*t)")
    coefficients = ("centre", "cosine", "sine")
    ranges: ClassVar[dict[str, Range]] = {**_TURNING_RANGES, "turns": Range(0.9, 1.5, "turns in the clip")}

    def solve(self, sample: Mapping[str, Floats]) -> Floats:
        _, cosine, sine, omega = self._rotation(sample)
        return np.concatenate([center_of(sample), cosine, sine, omega], axis=-1)

    def view_axis(self, params: Floats) -> Floats:
        return self._normal(params)

    def describe(self, params: Floats) -> list[str]:
        rows = zip(format_points(params[:, :3]), self._words(params), strict=True)
        return [f"moves on a circle around {center}: {words}" for center, words in rows]


@family
class Helical(Turning):
    """Uniform rotation with a constant climb along the axis."""

    name = "helical"
    basis = ("1", "t", "cos(omega*t)", "sin(omega*t)")
    coefficients = ("centre", "climb", "cosine", "sine")
    ranges: ClassVar[dict[str, Range]] = {
        **_TURNING_RANGES,
        "turns": Range(1.3, 2.2, "turns in the clip"),
        "climb": Range(1.6, 3.2, "distance climbed in the clip, in radii"),
    }

    def solve(self, sample: Mapping[str, Floats]) -> Floats:
        axis, cosine, sine, omega = self._rotation(sample)
        climb = (sample["climb"] * sample["radius"])[:, None] * axis
        return np.concatenate([center_of(sample) - climb / 2, climb, cosine, sine, omega], axis=-1)

    def view_axis(self, params: Floats) -> Floats:
        return perpendicular(self._normal(params))[0]

    def describe(self, params: Floats) -> list[str]:
        climbs = np.linalg.norm(params[:, 3:6], axis=-1).tolist()
        rows = zip(format_points(params[:, :3]), self._words(params), climbs, strict=True)
        return [f"moves on a helix from centre {start}: {words}, climbing {climb:.3f}" for start, words, climb in rows]


@family
class Parabolic(Motion):
    """A throw under constant vertical acceleration."""

    name = "parabolic"
    basis = ("1", "t", "t^2")
    coefficients = ("start", "velocity", "bend")
    ranges: ClassVar[dict[str, Range]] = {
        **CENTER,
        "width": Range(0.8, 1.6, "horizontal distance covered, world units"),
        "height": Range(0.5, 1.2, "fall from the apex over half the clip, in widths"),
        "apex": Range(0.25, 0.75, "time of the highest point"),
        "azimuth": AZIMUTH,
    }
    invariant = (*CENTER, "width")

    def solve(self, sample: Mapping[str, Floats]) -> Floats:
        velocity = sample["width"][:, None] * unit_vector(sample["azimuth"], np.zeros_like(sample["azimuth"]))
        fall = 4 * sample["height"] * sample["width"]  # a fall of height*width half a clip after the apex
        velocity[:, 2] = 2 * fall * sample["apex"]
        bend = np.stack([np.zeros_like(fall), np.zeros_like(fall), -fall], axis=-1)
        return np.concatenate([center_of(sample) - velocity / 2 - bend / 4, velocity, bend], axis=-1)

    def view_axis(self, params: Floats) -> Floats:
        # A spectator on the side of negative y sees throws to the left and to the right.
        normal = self.clockwise_axis(params)
        return np.where(normal[:, 1:2] > 0, -normal, normal)

    def clockwise_axis(self, params: Floats) -> Floats:
        """Return ``(N, 3)`` unit vectors towards the side from which each throw goes from left to right."""
        normal = np.cross(params[:, 3:6], [0.0, 0.0, 1.0])
        return np.asarray(normal / np.linalg.norm(normal, axis=-1, keepdims=True))

    def describe(self, params: Floats) -> list[str]:
        ends = zip(format_points(params[:, :3]), format_points(params[:, 3:6]), strict=True)
        vertical = (params[:, 6:8] == 0).all(axis=1).tolist()
        falls, along = (-2 * params[:, 8]).tolist(), format_points(2 * params[:, 6:9])
        return [
            f"is thrown from {start} with velocity {velocity} and falls with acceleration "
            f"{f'{falls[row]:.3f}' if vertical[row] else along[row]}, a parabola"
            for row, (start, velocity) in enumerate(ends)
        ]
