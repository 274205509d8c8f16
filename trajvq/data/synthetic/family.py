"""What a motion family is: a class with everything that generator, judge and forecasts need to know about it.

A path in 3-D world units over clip time t in [0, 1] is a sum of vector coefficients times basis functions of time.
Its equation, its stored parameters and its positions are therefore the same numbers.

N clips, T frames, J basis functions, Q nonlinear parameters, P parameters.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trajvq.data.synthetic.ranges import Range
from trajvq.io.arrays import Floats

DECIMALS = 5  # stored parameters are rounded to what the equation prints, so that both agree exactly
STEP = 1e-6  # of numerical derivatives


@dataclass(frozen=True)
class Nonlinear:
    """A parameter inside the basis functions, such as an angular velocity.

    Attributes:
        starts: Evenly spaced values at which a fit starts.
        low: Lower bound when the judge fits the family.
        high: Upper bound.
    """

    starts: tuple[float, ...]
    low: float = -np.inf
    high: float = np.inf


class Motion(ABC):
    """A family of 3-D paths.

    A subclass sets the attributes and the abstract methods. With basis functions other than ``1``, ``t``, ``t^2``,
    ``cos(omega*t)`` and ``sin(omega*t)`` it overrides `functions` too.

    Attributes:
        name: Class name, as in the manifest.
        ranges: The range of every value that is sampled for a clip. ``sense`` is reduced to its sign.
        basis: Basis functions of time as the equation prints them; the first is ``1``.
        coefficients: For each basis function a prefix for the names of its three coefficients.
        nonlinear: Parameters inside the basis functions, by the name that `basis` uses.
        invariant: Names in `ranges` that the picture does not depend on, since the camera frames the whole path:
            its position and its scale.
        periodic: Names in `ranges` whose two ends are the same, such as angles of a full turn.
    """

    name: ClassVar[str]
    ranges: ClassVar[Mapping[str, Range]]
    basis: ClassVar[tuple[str, ...]]
    coefficients: ClassVar[tuple[str, ...]]
    nonlinear: ClassVar[Mapping[str, Nonlinear]] = {}
    invariant: ClassVar[tuple[str, ...]] = ("x", "y", "z")
    periodic: ClassVar[tuple[str, ...]] = ("azimuth", "phase")

    @abstractmethod
    def solve(self, sample: Mapping[str, Floats]) -> Floats:
        """Turn ``(N,)`` sampled values of every name in `ranges` into ``(N, P)`` parameters."""

    @abstractmethod
    def view_axis(self, params: Floats) -> Floats:
        """Return ``(N, 3)`` unit vectors: the directions from which the shape of each path shows best."""

    @abstractmethod
    def describe(self, params: Floats) -> list[str]:
        """Return for each ``(N, P)`` row a phrase with numbers that says how the object moves."""

    @classmethod
    def parameters(cls) -> list[str]:
        """Return the names of the P stored parameters: the coefficients, then the nonlinear parameters."""
        return [*(f"{prefix}_{axis}" for prefix in cls.coefficients for axis in "xyz"), *cls.nonlinear]

    @property
    def unknowns(self) -> int:
        """Number of unknowns of a path in the picture, see `trajvq.data.synthetic.projective`."""
        return 3 * len(self.basis) - 1 + len(self.nonlinear)

    def contains(self, other: "Motion") -> bool:
        """Return whether every path of another family with the same nonlinear parameters is a path of this one."""
        return set(self.basis) > set(other.basis) and set(self.nonlinear) == set(other.nonlinear)

    def functions(self, time: Floats, nonlinear: Mapping[str, Floats]) -> list[Floats]:
        """Evaluate the basis functions.

        Args:
            time: ``(T,)``, 0 at the first frame and 1 at the last.
            nonlinear: ``(..., 1)`` values by name.

        Returns:
            J arrays that broadcast to ``(..., T)``.

        Raises:
            NotImplementedError: If there is another basis function than those above.
        """
        terms = {"1": np.ones_like(time), "t": time, "t^2": time**2}
        if "omega" in nonlinear:
            angle = nonlinear["omega"] * time
            terms |= {"cos(omega*t)": np.cos(angle), "sin(omega*t)": np.sin(angle)}
        missing = [term for term in self.basis if term not in terms]
        if missing:
            raise NotImplementedError(f"motion family {self.name!r}: override functions to evaluate {missing[0]}")
        return [terms[term] for term in self.basis]

    def matrix(self, time: Floats, nonlinear: Floats) -> Floats:
        """Return the basis functions as ``(..., T, J)`` from nonlinear parameters ``(..., Q)``."""
        values = {name: nonlinear[..., q, None] for q, name in enumerate(self.nonlinear)}
        shape = (*nonlinear.shape[:-1], len(time))
        return np.stack([np.broadcast_to(term, shape) for term in self.functions(time, values)], axis=-1)

    def slopes(self, time: Floats, nonlinear: Floats) -> Floats:
        """Return the derivatives of `matrix` with respect to each nonlinear parameter, ``(Q, ..., T, J)``."""
        slopes = np.zeros((len(self.nonlinear), *nonlinear.shape[:-1], len(time), len(self.basis)))
        for q, step in enumerate(STEP * np.eye(len(self.nonlinear))):
            slopes[q] = (self.matrix(time, nonlinear + step) - self.matrix(time, nonlinear - step)) / (2 * STEP)
        return slopes

    def position(self, params: Floats, time: Floats) -> Floats:
        """Evaluate the equation.

        Args:
            params: ``(N, P)`` parameters.
            time: ``(T,)``, 0 at the first frame and 1 at the last.

        Returns:
            ``(N, T, 3)`` world coordinates.
        """
        terms = len(self.basis)
        vectors = params[:, : 3 * terms].reshape(len(params), terms, 3)
        return np.asarray(self.matrix(time, params[:, 3 * terms :]) @ vectors)

    def moved(self, params: Floats, rotation: Floats, shift: Floats) -> Floats:
        """Return the parameters of the same paths after a rotation and a shift.

        Args:
            params: ``(N, P)`` parameters.
            rotation: ``(N, 3, 3)`` matrices.
            shift: ``(N, 3)`` world units.
        """
        terms = len(self.basis)
        vectors = params[:, : 3 * terms].reshape(len(params), terms, 3) @ rotation.swapaxes(1, 2)
        vectors[:, 0] += shift  # the first basis function is 1
        return np.concatenate([vectors.reshape(len(params), 3 * terms), params[:, 3 * terms :]], axis=-1)

    def equations(self, params: Floats) -> list[str]:
        """Return the equation of each ``(N, P)`` row with its numbers in it."""
        terms = len(self.basis)
        vectors = params[:, : 3 * terms].reshape(len(params), terms, 3).transpose(0, 2, 1).tolist()
        factors = ["" if term == "1" else "*" + term for term in self.basis]
        lines = []
        for row, nonlinear in enumerate(params[:, 3 * terms :].tolist()):
            axes = []
            for axis, values in zip("xyz", vectors[row], strict=True):
                text = f"{values[0]:.{DECIMALS}f}{factors[0]}"
                for value, factor in zip(values[1:], factors[1:], strict=True):
                    if value:
                        text += f" {'-' if value < 0 else '+'} {abs(value):.{DECIMALS}f}{factor}"
                axes.append(f"{axis}(t) = {text}")
            line = "; ".join(axes)
            for name, value in zip(self.nonlinear, nonlinear, strict=True):
                line = re.sub(rf"\b{name}\b", f"{value:.{DECIMALS}f}", line)
            lines.append(line)
        return lines
