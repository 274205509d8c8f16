"""Fit the motion families, as a perspective camera shows them, to points in the picture.

Seen through a pinhole camera each family is a ratio of basis functions of time: linear
``(a + b t) / (1 + c t)``; parabolic adds t² to both; circular has cos wt and sin wt in both;
helical has t, cos wt and sin wt in both. Multiplied by its denominator the model is linear in its
coefficients, so it is fitted by least squares, reweighted by the denominator until the residual is
the one in the picture (Sanathanan and Koerner, 1963).
"""

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats

# Unknowns in the picture: two numerators, one denominator, and the angular velocity where there is one.
FREEDOM = {"linear": 5, "parabolic": 8, "circular": 9, "helical": 12}
TURNING = ("circular", "helical")
MISFIT = 0.5  # px RMS by which every simpler family must miss an identifiable path
FAR = 5 * MISFIT  # the finer fits gain less than the difference
TURNS = np.arange(0.3, 3.01, 0.15)  # start values for turns in the clip


def basis(family: str, time: Floats, omega: Floats) -> Floats:
    """Return ``(..., T, J)`` basis functions, the first of them 1.

    Args:
        family: A key of `FREEDOM`.
        time: ``(T,)`` times, 0 to 1.
        omega: ``(...)`` angular velocities, not looked at where nothing turns.
    """
    angle = omega[..., None] * time
    terms = [np.ones_like(angle)]
    if family != "circular":
        terms.append(np.broadcast_to(time, angle.shape))
    if family == "parabolic":
        terms.append(np.broadcast_to(time**2, angle.shape))
    if family in TURNING:
        terms += [np.cos(angle), np.sin(angle)]
    return np.stack(terms, axis=-1)


def fit_ratio(points: Floats, basis: Floats, shown: Floats | None = None, rounds: int = 3) -> tuple[Floats, Floats]:
    """Fit ratios of basis functions to points, for given basis functions.

    Args:
        points: ``(..., T, 2)`` places, scaled to about 1.
        basis: ``(..., T, J)`` basis functions.
        shown: ``(..., T)`` weights, 0 where there is no point.
        rounds: Of reweighting.

    Returns:
        ``(..., 3 J - 1)`` coefficients (numerators of x, of y, denominator) and ``(...)`` RMS distances.
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
    seen = np.ones(target.shape) if shown is None else np.repeat(np.broadcast_to(shown, points.shape[:-1]), 2, axis=-1)
    weight = seen
    best = np.full(points.shape[:-2], np.inf)
    coefficients = np.zeros((*points.shape[:-2], 3 * terms - 1))
    for _ in range(rounds):
        weighted = design * weight[..., None]
        moved = np.swapaxes(weighted, -1, -2)
        normal = moved @ weighted
        normal += 1e-10 * np.eye(3 * terms - 1)
        solved = np.linalg.solve(normal, moved @ (target * weight)[..., None])[..., 0]
        bottom = 1 + (basis[..., 1:] @ solved[..., 2 * terms :, None])[..., 0]
        bottom = np.repeat(np.where(np.abs(bottom) < 0.05, 0.05, bottom), 2, axis=-1)
        residual = seen * (target - (design @ solved[..., None])[..., 0]) / bottom
        found = np.sqrt(2 * np.square(residual).sum(axis=-1) / seen.sum(axis=-1))
        coefficients = np.where((found < best)[..., None], solved, coefficients)
        best = np.minimum(best, found)
        weight = seen / bottom
    return coefficients, best


def misfit(points: Floats, time: Floats, family: str, enough: float = np.inf) -> Floats:
    """Fit one family to N tracks and return how far it misses them.

    Args:
        points: ``(N, T, 2)`` places in the picture, pixels.
        time: ``(T,)`` times, 0 to 1.
        family: A key of `FREEDOM`.
        enough: Pixels; a track missed by more on the grid of angular velocities is not fitted more finely.

    Returns:
        ``(N,)`` RMS distance in pixels.
    """
    if not len(points):
        return np.zeros(0)
    middle = points.mean(axis=1, keepdims=True)
    scale = np.abs(points - middle).max(axis=(1, 2), keepdims=True) + 1e-9
    scaled, pixels = (points - middle) / scale, scale[:, 0, 0]
    if family not in TURNING:
        return np.asarray(fit_ratio(scaled, basis(family, time, np.zeros(len(points))))[1] * pixels)
    turns, step = np.broadcast_to(TURNS, (len(points), len(TURNS))), TURNS[1] - TURNS[0]
    best, rows = np.full(len(points), np.inf), np.arange(len(points))
    for rounds in (1, 2, 2):
        found = fit_ratio(scaled[rows, None], basis(family, time, 2 * np.pi * turns), rounds=rounds)[1]
        choice = found.argmin(axis=1)
        best[rows] = np.minimum(best[rows], found[np.arange(len(rows)), choice])
        near = best[rows] * pixels[rows] < enough
        centre = turns[np.arange(len(rows)), choice][near]
        if not near.any():
            break
        rows, turns = rows[near], centre[:, None] + step * np.linspace(-0.75, 0.75, 5)
        step = step * 0.375
    return np.asarray(best * pixels)


def identifiable(points: Floats, time: Floats, families: list[str]) -> NDArray[np.bool_]:
    """Say which tracks every family with fewer parameters misses by at least `MISFIT` px RMS.

    A family that this module does not know is compared with all that it does know.

    Args:
        points: ``(N, T, 2)`` true places in the picture, pixels.
        time: ``(T,)`` times, 0 to 1.
        families: The true family of each track.

    Returns:
        ``(N,)`` bool.
    """
    names = np.array(families)
    clear = np.ones(len(points), dtype=bool)
    for rival, freedom in FREEDOM.items():
        simpler = [FREEDOM.get(name, 99) > freedom for name in names]
        if rival == "linear":  # parabolic holds linear, so that where both are rivals one fit will do
            simpler = [name == "parabolic" for name in names]
        rows = np.flatnonzero(simpler & clear)
        clear[rows] = misfit(points[rows], time, rival, FAR) >= MISFIT
    return clear
