"""The motion families: 3-D paths in world units over clip time t in [0, 1].

Every family is a sum of vector coefficients times basis functions of t, so position, equation
and stored parameters are the same numbers. Adding a family is one subclass of `Motion` with
`@family` on it; its label is its place in `FAMILIES`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from trajvq.data.synthetic.ranges import Range
from trajvq.io.arrays import Floats

TURN = 2 * np.pi
DECIMALS = 5  # parameters are rounded to what the equation prints, so that both agree exactly

CENTRE = {axis: Range(-1.0, 1.0, f"{axis} of the path's centre, world units") for axis in ("x", "y", "z")}
AZIMUTH = Range(0.0, 360.0, "degrees around the vertical")


def unit_vector(azimuth: Floats, elevation: Floats) -> Floats:
    """Return ``(N, 3)`` unit vectors from angles in degrees."""
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    return np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], axis=-1)


def perpendicular(axis: Floats) -> tuple[Floats, Floats]:
    """Complete ``(N, 3)`` unit vectors to right-handed frames: two more unit vectors each."""
    helper = np.where(np.abs(axis[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    first = np.cross(helper, axis)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return first, np.cross(axis, first)


def _centre(draw: Mapping[str, Floats]) -> Floats:
    return np.stack([draw["x"], draw["y"], draw["z"]], axis=-1)


class Motion(ABC):
    """A family of 3-D paths.

    Attributes:
        name: Class name, as in the manifest.
        ranges: What is drawn for a clip of this family.
        basis: Basis functions as printed in the equation, of ``1``, ``t``, ``t^2``, ``cos(omega*t)`` and
            ``sin(omega*t)``; ``omega`` stands for the last parameter.
        coefficients: A prefix for the three coefficients of each basis function.
    """

    name: ClassVar[str]
    ranges: ClassVar[dict[str, Range]]
    basis: ClassVar[tuple[str, ...]]
    coefficients: ClassVar[tuple[str, ...]]

    @classmethod
    def parameters(cls) -> list[str]:
        """Names of the stored parameters, in order."""
        names = [f"{prefix}_{axis}" for prefix in cls.coefficients for axis in "xyz"]
        return [*names, "omega"] if cls._turns() else names

    @classmethod
    def _turns(cls) -> bool:
        return any("omega" in term for term in cls.basis)

    @abstractmethod
    def solve(self, draw: Mapping[str, Floats]) -> Floats:
        """Turn ``(N,)`` drawn values, one for each name in `ranges`, into ``(N, P)`` parameters."""

    @abstractmethod
    def view_axis(self, params: Floats) -> Floats:
        """Return ``(N, 3)`` unit vectors along which the shape of the path shows best."""

    @abstractmethod
    def describe(self, params: Floats) -> list[str]:
        """Say in words, with numbers, how the object of each ``(N, P)`` row moves."""

    def position(self, params: Floats, time: Floats) -> Floats:
        """Evaluate the equation.

        Args:
            params: ``(N, P)`` parameters.
            time: ``(T,)`` times, 0 at the first frame and 1 at the last.

        Returns:
            ``(N, T, 3)`` world coordinates.
        """
        omega = params[:, -1:] if self._turns() else np.zeros((len(params), 1))
        values = {
            "1": np.ones((len(params), len(time))),
            "t": np.broadcast_to(time, (len(params), len(time))),
            "t^2": np.broadcast_to(time**2, (len(params), len(time))),
            "cos(omega*t)": np.cos(omega * time),
            "sin(omega*t)": np.sin(omega * time),
        }
        basis = np.stack([values[term] for term in self.basis], axis=-1)
        vectors = params[:, : 3 * len(self.basis)].reshape(len(params), len(self.basis), 3)
        return np.asarray(basis @ vectors)

    def equations(self, params: Floats) -> list[str]:
        """Write the equation of each ``(N, P)`` row with its numbers in it."""
        count, terms = len(params), len(self.basis)
        omega = [f"{value:.{DECIMALS}f}" for value in params[:, -1].tolist()]
        vectors = params[:, : 3 * terms].reshape(count, terms, 3).transpose(0, 2, 1).tolist()
        factors = ["" if term == "1" else "*" + term for term in self.basis]
        lines = []
        for row in range(count):
            axes = []
            for axis, values in zip("xyz", vectors[row], strict=True):
                text = f"{values[0]:.{DECIMALS}f}{factors[0]}"
                for value, factor in zip(values[1:], factors[1:], strict=True):
                    if value:
                        text += f" {'-' if value < 0 else '+'} {abs(value):.{DECIMALS}f}{factor}"
                axes.append(f"{axis}(t) = {text}")
            lines.append("; ".join(axes).replace("omega", omega[row]))
        return lines


FAMILIES: list[Motion] = []


def family(cls: type[Motion]) -> type[Motion]:
    """Register a motion family; its label is the number of families registered before it."""
    FAMILIES.append(cls())
    return cls


@family
class Linear(Motion):
    """Constant velocity."""

    name = "linear"
    basis = ("1", "t")
    coefficients = ("start", "velocity")
    ranges: ClassVar[dict[str, Range]] = {
        **CENTRE,
        "length": Range(0.8, 1.6, "length of the path, world units"),
        "azimuth": AZIMUTH,
        "elevation": Range(-60.0, 60.0, "degrees of the path above the horizontal"),
    }

    def solve(self, draw: Mapping[str, Floats]) -> Floats:
        velocity = draw["length"][:, None] * unit_vector(draw["azimuth"], draw["elevation"])
        return np.concatenate([_centre(draw) - velocity / 2, velocity], axis=-1)

    def view_axis(self, params: Floats) -> Floats:
        heading = params[:, 3:6] / np.linalg.norm(params[:, 3:6], axis=-1, keepdims=True)
        return perpendicular(heading)[0]

    def describe(self, params: Floats) -> list[str]:
        ends = zip(points(params[:, :3]), points(params[:, 3:6]), strict=True)
        return [f"moves in a straight line from {start} with constant velocity {velocity}" for start, velocity in ends]


class Turning(Motion):
    """A uniform rotation; the helix adds a climb along the axis."""

    def _rotation(self, draw: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the axis, the cosine and sine coefficients ``(N, 3)`` and the angular velocity ``(N, 1)``."""
        axis = unit_vector(draw["azimuth"], 90.0 - draw["tilt"])
        first, second = perpendicular(axis)
        phase, radius = TURN * draw["phase"][:, None], draw["radius"][:, None]
        cosine = radius * (np.cos(phase) * first + np.sin(phase) * second)
        sine = radius * (-np.sin(phase) * first + np.cos(phase) * second)
        omega = TURN * draw["turns"] * np.where(draw["sense"] < 0, -1.0, 1.0)
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
    **CENTRE,
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

    def solve(self, draw: Mapping[str, Floats]) -> Floats:
        _, cosine, sine, omega = self._rotation(draw)
        return np.concatenate([_centre(draw), cosine, sine, omega], axis=-1)

    def view_axis(self, params: Floats) -> Floats:
        return self._normal(params)

    def describe(self, params: Floats) -> list[str]:
        rows = zip(points(params[:, :3]), self._words(params), strict=True)
        return [f"moves on a circle around {centre}: {words}" for centre, words in rows]


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

    def solve(self, draw: Mapping[str, Floats]) -> Floats:
        axis, cosine, sine, omega = self._rotation(draw)
        climb = (draw["climb"] * draw["radius"])[:, None] * axis
        return np.concatenate([_centre(draw) - climb / 2, climb, cosine, sine, omega], axis=-1)

    def view_axis(self, params: Floats) -> Floats:
        return perpendicular(self._normal(params))[0]

    def describe(self, params: Floats) -> list[str]:
        climbs = np.linalg.norm(params[:, 3:6], axis=-1).tolist()
        rows = zip(points(params[:, :3]), self._words(params), climbs, strict=True)
        return [f"moves on a helix from centre {start}: {words}, climbing {climb:.3f}" for start, words, climb in rows]


@family
class Parabolic(Motion):
    """A throw under constant vertical acceleration."""

    name = "parabolic"
    basis = ("1", "t", "t^2")
    coefficients = ("start", "velocity", "bend")
    ranges: ClassVar[dict[str, Range]] = {
        **CENTRE,
        "width": Range(0.8, 1.6, "horizontal distance covered, world units"),
        "height": Range(0.5, 1.2, "fall from the apex over half the clip, in widths"),
        "apex": Range(0.25, 0.75, "time of the highest point"),
        "azimuth": AZIMUTH,
    }

    def solve(self, draw: Mapping[str, Floats]) -> Floats:
        velocity = draw["width"][:, None] * unit_vector(draw["azimuth"], np.zeros_like(draw["azimuth"]))
        fall = 4 * draw["height"] * draw["width"]  # a fall of height*width half a clip after the apex
        velocity[:, 2] = 2 * fall * draw["apex"]
        bend = np.stack([np.zeros_like(fall), np.zeros_like(fall), -fall], axis=-1)
        return np.concatenate([_centre(draw) - velocity / 2 - bend / 4, velocity, bend], axis=-1)

    def view_axis(self, params: Floats) -> Floats:
        normal = np.cross(params[:, 3:6], [0.0, 0.0, 1.0])
        return np.asarray(normal / np.linalg.norm(normal, axis=-1, keepdims=True))

    def describe(self, params: Floats) -> list[str]:
        rows = zip(points(params[:, :3]), points(params[:, 3:6]), (-2 * params[:, 8]).tolist(), strict=True)
        return [
            f"is thrown from {start} with velocity {velocity} and falls with acceleration {fall:.3f}, a parabola"
            for start, velocity, fall in rows
        ]


def points(vectors: Floats) -> list[str]:
    """Write each of ``(N, 3)`` vectors for a description."""
    return [f"({x:.2f}, {y:.2f}, {z:.2f})" for x, y, z in vectors.tolist()]
