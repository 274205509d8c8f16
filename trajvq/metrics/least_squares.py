"""Batched nonlinear least squares: the method of Levenberg (1944) and Marquardt (1963)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats

LOWEST, HIGHEST = 1e-9, 1e6  # damping

# From unknowns (..., P) to residuals (..., T, 2), the Jacobian (..., T, 2, P) of the model, which is the data less the
# residuals, and whether the unknowns are allowed (...).
Linearize = Callable[[Floats], tuple[Floats, Floats, NDArray[np.bool_]]]


@dataclass(frozen=True)
class Damping:
    """How the damping of the steps starts and adapts.

    Attributes:
        start: The first damping, relative to the diagonal of the normal equations.
        decrease: Divisor after a step that lowers the sum of squares.
        increase: Factor after a step that does not.
        ridge: What is added to the diagonal, so that unknowns without any effect stay where they are.
    """

    start: float
    decrease: float
    increase: float
    ridge: float


def levenberg_marquardt(
    linearize: Linearize,
    unknowns: Floats,
    rounds: int,
    damping: Damping,
    project: Callable[[Floats], Floats],
    blocked: Callable[[Floats, Floats], NDArray[np.bool_]] | None = None,
) -> tuple[Floats, Floats]:
    """Minimize many sums of squares at once, each from its own start.

    Args:
        linearize: See `Linearize`.
        unknowns: ``(..., P)`` starts.
        rounds: Number of steps that are tried.
        damping: See `Damping`.
        project: From unknowns to the nearest ones within their bounds.
        blocked: From unknowns and the negative gradient ``(..., P)`` to which of them a step must not change,
            bool ``(..., P)``.

    Returns:
        The best unknowns ``(..., P)`` and their sums of squares ``(...)``.
    """
    residual, jacobian, _ = linearize(unknowns)
    best = np.square(residual).sum(axis=(-1, -2))
    factor = np.full(best.shape, damping.start)
    identity = np.eye(unknowns.shape[-1])
    for _ in range(rounds):
        flat = jacobian.reshape(*best.shape, -1, unknowns.shape[-1])
        transposed = np.swapaxes(flat, -1, -2)
        normal, descent = transposed @ flat, transposed @ residual.reshape(*best.shape, -1, 1)
        if blocked is not None:
            still = blocked(unknowns, descent[..., 0])
            normal = np.where(still[..., None] | still[..., None, :], 0.0, normal)
            descent = np.where(still[..., None], 0.0, descent)
        scale = (np.einsum("...ii->...i", normal)[..., None] + damping.ridge) * identity
        step = np.linalg.solve(normal + factor[..., None, None] * scale, descent)[..., 0]
        candidate = project(unknowns + step)
        new_residual, new_jacobian, allowed = linearize(candidate)
        square = np.square(new_residual).sum(axis=(-1, -2))
        better = (square < best) & allowed
        unknowns = np.where(better[..., None], candidate, unknowns)
        residual = np.where(better[..., None, None], new_residual, residual)
        jacobian = np.where(better[..., None, None, None], new_jacobian, jacobian)
        best = np.where(better, square, best)
        factor = np.where(better, factor / damping.decrease, factor * damping.increase).clip(LOWEST, HIGHEST)
    return unknowns, best
