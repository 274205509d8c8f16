"""Fit motion families, as a perspective camera shows them, to points in the picture.

Through a pinhole camera the path of a family is a ratio of linear combinations of its basis functions of time:
``(a + b t) / (1 + c t)`` for a linear motion, and so on. Multiplied by its denominator, the ratio is linear in its
coefficients. Least squares fit them, reweighted by the denominator until the residual is the distance in the picture
(Sanathanan and Koerner, 1963). Nonlinear parameters of the basis functions, such as an angular velocity, are searched.

N tracks, T frames, J basis functions, Q nonlinear parameters, G grid points, P = 3 J - 1 + Q unknowns.
"""

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.motion import FAMILIES, Motion
from trajvq.io.arrays import Floats

MISFIT = 0.5  # px RMS by which every simpler family must miss an identifiable path
FAR = 5 * MISFIT  # px; a search on a finer grid gains less than FAR - MISFIT
LOWEST = 0.05  # least denominator, so that no pole lies on a path
BLOCK = 4000  # fits at a time, which bounds the memory


def fit_ratio(points: Floats, basis: Floats, weight: Floats | None = None, rounds: int = 3) -> tuple[Floats, Floats]:
    """Fit ratios of basis functions to points.

    Args:
        points: ``(..., T, 2)`` positions, scaled to about 1.
        basis: ``(..., T, J)`` basis functions, the first of them 1.
        weight: ``(..., T)`` weights, 0 where there is no point; all 1 by default.
        rounds: Number of reweighted fits.

    Returns:
        ``(..., 3 J - 1)`` coefficients (numerator of x, numerator of y, denominator) and ``(...)`` RMS distances.
    """
    terms = basis.shape[-1]
    points = np.broadcast_to(points, (*basis.shape[:-1], 2))
    design = np.zeros((*points.shape, 3 * terms - 1))
    design[..., 0, :terms] = basis
    design[..., 1, terms : 2 * terms] = basis
    design[..., 2 * terms :] = -points[..., None] * basis[..., None, 1:]
    shape = (*points.shape[:-2], -1)
    target = points.reshape(shape)
    design = design.reshape(*shape, 3 * terms - 1)
    valid = np.ones(target.shape)
    if weight is not None:
        valid = np.repeat(np.broadcast_to(weight, points.shape[:-1]), 2, axis=-1)
    scale = valid
    best = np.full(points.shape[:-2], np.inf)
    coefficients = np.zeros((*points.shape[:-2], 3 * terms - 1))
    for _ in range(rounds):
        weighted = design * scale[..., None]
        transposed = np.swapaxes(weighted, -1, -2)
        normal = transposed @ weighted
        normal += 1e-10 * np.eye(3 * terms - 1)
        solution = np.linalg.solve(normal, transposed @ (target * scale)[..., None])[..., 0]
        denominator = 1 + (basis[..., 1:] @ solution[..., 2 * terms :, None])[..., 0]
        denominator = np.repeat(np.where(np.abs(denominator) < LOWEST, LOWEST, denominator), 2, axis=-1)
        residual = valid * (target - (design @ solution[..., None])[..., 0]) / denominator
        distance = np.sqrt(2 * np.square(residual).sum(axis=-1) / valid.sum(axis=-1))
        coefficients = np.where((distance < best)[..., None], solution, coefficients)
        best = np.minimum(best, distance)
        scale = valid / denominator
    return coefficients, best


def evaluate_ratio(motion: Motion, time: Floats, unknowns: Floats) -> tuple[Floats, Floats, Floats]:
    """Return positions ``(..., T, 2)``, their Jacobian ``(..., T, 2, P)`` and the least denominators ``(...)``.

    Args:
        motion: The family.
        time: ``(T,)``, 0 at the first frame of a clip and 1 at the last.
        unknowns: ``(..., P)``: the coefficients of `fit_ratio`, then the nonlinear parameters.
    """
    terms = len(motion.basis)
    nonlinear = unknowns[..., 3 * terms - 1 :]
    basis = motion.matrix(time, nonlinear)
    numerators = unknowns[..., :terms], unknowns[..., terms : 2 * terms]
    below = unknowns[..., 2 * terms : 3 * terms - 1, None]
    denominator = 1 + (basis[..., 1:] @ below)[..., 0]
    divisor = np.where(np.abs(denominator) < LOWEST, LOWEST, denominator)
    position = np.stack([(basis @ top[..., None])[..., 0] for top in numerators], axis=-1) / divisor[..., None]
    jacobian = np.zeros((*position.shape, unknowns.shape[-1]))
    jacobian[..., 0, :terms] = jacobian[..., 1, terms : 2 * terms] = basis / divisor[..., None]
    jacobian[..., 2 * terms : 3 * terms - 1] = -position[..., None] * basis[..., None, 1:] / divisor[..., None, None]
    for q, slope in enumerate(motion.slopes(time, nonlinear), 3 * terms - 1):
        change = (slope[..., 1:] @ below)[..., 0]
        for axis, top in enumerate(numerators):
            jacobian[..., axis, q] = ((slope @ top[..., None])[..., 0] - position[..., axis] * change) / divisor
    return position, jacobian, denominator.min(axis=-1)


def grid_distances(
    points: Floats, time: Floats, motion: Motion, grid: Floats, weight: Floats | None = None, rounds: int = 2
) -> Floats:
    """Return the ``(N, G)`` RMS distances of tracks from a family at given nonlinear parameters.

    Args:
        points: ``(N, T, 2)`` positions, scaled to about 1.
        time: ``(T,)``.
        motion: The family.
        grid: ``(G, Q)`` or ``(N, G, Q)`` nonlinear parameters.
        weight: ``(N, T)``, see `fit_ratio`.
        rounds: See `fit_ratio`.
    """
    grid = np.broadcast_to(grid, (len(points), *grid.shape[-2:]))
    distances = np.empty(grid.shape[:2])
    size = max(BLOCK // grid.shape[1], 1)
    for start in range(0, len(points), size):
        rows = slice(start, start + size)
        valid = None if weight is None else weight[rows, None]
        distances[rows] = fit_ratio(points[rows, None], motion.matrix(time, grid[rows]), valid, rounds)[1]
    return distances


def misfit(
    points: Floats, time: Floats, motion: Motion, enough: float = np.inf, weight: Floats | None = None
) -> Floats:
    """Fit one family to N tracks and return the RMS distances ``(N,)`` in pixels.

    Args:
        points: ``(N, T, 2)`` positions in the picture, pixels.
        time: ``(T,)``, 0 at the first frame and 1 at the last.
        motion: The family.
        enough: Pixels. A track that is farther away on the first grid of nonlinear parameters is not fitted on a finer
            one.
        weight: ``(N, T)``, see `fit_ratio`.
    """
    if not len(points):
        return np.zeros(0)
    middle = points.mean(axis=1, keepdims=True)
    scale = np.abs(points - middle).max(axis=(1, 2), keepdims=True) + 1e-9
    scaled, pixels = (points - middle) / scale, scale[:, 0, 0]
    axes = [np.array(parameter.starts) for parameter in motion.nonlinear.values()]
    if not axes:
        return np.asarray(fit_ratio(scaled, motion.matrix(time, np.zeros((len(points), 0))), weight)[1] * pixels)
    step = np.array([starts[1] - starts[0] for starts in axes])
    grid = np.broadcast_to(product(axes), (len(points), *product(axes).shape))
    finer = product([np.linspace(-0.75, 0.75, 5)] * len(axes))
    best, rows = np.full(len(points), np.inf), np.arange(len(points))
    for rounds in (1, 2, 2):
        valid = None if weight is None else weight[rows]
        distances = grid_distances(scaled[rows], time, motion, grid, valid, rounds)
        choice, numbers = distances.argmin(axis=1), np.arange(len(rows))
        best[rows] = np.minimum(best[rows], distances[numbers, choice])
        close = best[rows] * pixels[rows] < enough
        if not close.any():
            break
        grid, rows = grid[numbers, choice][close, None] + step * finer, rows[close]
        step = step * 0.375
    return np.asarray(best * pixels)


def product(axes: list[Floats]) -> Floats:
    """Return the ``(G, Q)`` points of a grid from Q axes; a single point without any."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes)) if axes else np.zeros((1, 0))


def identifiable(
    points: Floats, time: Floats, families: list[str], visible: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Return which tracks are at least `MISFIT` px RMS away from every family with fewer unknowns than their own.

    Args:
        points: ``(N, T, 2)`` true positions in the picture, pixels.
        time: ``(T,)``, 0 at the first frame and 1 at the last.
        families: Name of the true family of each track.
        visible: ``(N, T)`` bool: frames that count; all by default.

    Returns:
        ``(N,)`` bool; false where the family is not registered, or less than half of the frames count.
    """
    names = np.array(families)
    clear = np.isin(names, [motion.name for motion in FAMILIES])
    if visible is not None:
        clear &= visible.mean(axis=1) >= 0.5
    for motion in FAMILIES:
        simpler = [rival for rival in FAMILIES if rival.unknowns < motion.unknowns]
        for rival in simpler:
            if any(larger.contains(rival) for larger in simpler):
                continue  # the larger rival fits every track at least as well
            rows = np.flatnonzero((names == motion.name) & clear)
            weight = None if visible is None else visible[rows].astype(np.float64)
            clear[rows] = misfit(points[rows], time, rival, FAR, weight) >= MISFIT
    return clear
