"""Fit motion families to tracks in the picture, without learned weights.

Through a pinhole camera every family is a ratio of basis functions of time (see `trajvq.data.synthetic.projective`).
Each is fitted by least squares in the picture from several starts.

N tracks, T frames, F families, S starts, P unknowns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from trajvq.data.synthetic.motion import Motion, families_named
from trajvq.data.synthetic.projective import LOWEST, evaluate_ratio, fit_ratio, grid_distances, product
from trajvq.io.arrays import Floats, shown_in
from trajvq.metrics.least_squares import Damping, levenberg_marquardt

STARTS = 4  # minima of the grid of nonlinear parameters that are refined
ROUNDS = 25  # of the refinement
DAMPING = Damping(start=1e-3, decrease=5, increase=4, ridge=1e-12)
NEEDED = 13 / 16  # share of the frames in which an object can be seen that must show it
STILL = 2.0  # px; an object with a smaller extent is at rest, which no family is


@dataclass(frozen=True)
class Fits:
    """The best fit of every family to N tracks.

    Attributes:
        families: Names of the F families, those with the fewest unknowns first.
        unknowns: ``(F,)`` numbers of unknowns.
        square: ``(N, F)`` sums of squared residuals in px²; infinite for a track with too few points.
        points: ``(N,)`` numbers of points.
        extent: ``(N,)`` px between the outermost positions, the larger of x and y.
    """

    families: tuple[str, ...]
    unknowns: NDArray[np.int64]
    square: Floats
    points: NDArray[np.int64]
    extent: Floats

    @property
    def rms(self) -> Floats:
        """``(N, F)`` RMS distance of the points from each family in px."""
        return np.asarray(np.sqrt(self.square / np.maximum(self.points, 1)[:, None]))

    @property
    def still(self) -> NDArray[np.bool_]:
        """``(N,)``: whether a track with enough points is at rest. Every family fits it, and it follows none."""
        return np.asarray((self.extent < STILL) & np.isfinite(self.square).any(axis=1))


def own_residuals(fits: Fits, labels: NDArray[np.int64], classes: Sequence[str]) -> Floats:
    """Return ``(N,)`` RMS distances in px of tracks from the family of their class; NaN where it is none.

    Infinite for a track that is not fitted, and for one at rest.
    """
    column = np.array([fits.families.index(name) if name in fits.families else -1 for name in classes])[labels]
    residuals = np.full(len(labels), np.nan)
    rows = np.flatnonzero(column >= 0)
    residuals[rows] = np.where(fits.still[rows], np.inf, fits.rms[rows, column[rows]])
    return residuals


def fit_families(points: Floats, classes: Sequence[str], valid: NDArray[np.bool_] | None = None) -> Fits:
    """Fit to N tracks every registered motion family that is among some classes.

    A track that shows its object in less than 13 of 16 frames is fitted by none.

    Args:
        points: ``(N, T, 2)`` positions in the picture at even times, px; NaN where there is none.
        classes: Names of classes.
        valid: ``(N, T)`` frames in which the object can be seen; the others are not used. None for all.
    """
    finite = shown_in(points)
    valid = np.ones_like(finite) if valid is None else valid
    finite = finite & valid
    count = finite.sum(axis=1)
    families = families_named(classes)
    square = np.full((len(points), len(families)), np.inf)
    rows = np.flatnonzero((count >= NEEDED * valid.sum(axis=1)) & (count > 0))
    if len(rows):
        time = np.linspace(0, 1, points.shape[1])
        tracks, weight = np.nan_to_num(points[rows]), finite[rows].astype(float)
        middle = (tracks * weight[..., None]).sum(axis=1, keepdims=True) / weight.sum(axis=1)[:, None, None]
        centered = (tracks - middle) * weight[..., None]
        scale = np.abs(centered).max(axis=(1, 2)) + 1e-9
        scaled = centered / scale[:, None, None]
        for column, motion in enumerate(families):
            fitted = fit_family(scaled, weight, time, motion)[0].min(axis=1) * scale**2
            square[rows, column] = np.where(2 * count[rows] > motion.unknowns, fitted, np.inf)
    # A family never fits worse than one that it contains.
    for larger, motion in enumerate(families):
        for smaller, other in enumerate(families):
            if motion.contains(other):
                square[:, larger] = np.minimum(square[:, larger], square[:, smaller])
    highest, lowest = (np.where(finite[..., None], points, empty) for empty in (-np.inf, np.inf))
    extent = np.where(count > 0, (highest.max(axis=1) - lowest.min(axis=1)).max(axis=-1), 0.0)
    unknowns = np.array([motion.unknowns for motion in families], dtype=np.int64)
    return Fits(tuple(motion.name for motion in families), unknowns, square, count, extent)


def fit_family(tracks: Floats, weight: Floats, time: Floats, motion: Motion) -> tuple[Floats, Floats]:
    """Fit one family to N tracks from several starts.

    Args:
        tracks: ``(N, T, 2)`` positions, scaled to about 1.
        weight: ``(N, T)`` weights, 0 where there is no position.
        time: ``(T,)``; 0 to 1 over a clip.
        motion: The family.

    Returns:
        ``(N, S)`` sums of squares, and ``(N, S, P)`` unknowns as in `evaluate_ratio`.
    """
    nonlinear = list(motion.nonlinear.values())
    low, high = np.array([parameter.low for parameter in nonlinear]), np.array([p.high for p in nonlinear])
    axes = [np.array([start for start in p.starts if p.low <= start <= p.high]) for p in nonlinear]
    grid = product(axes)
    chosen = np.zeros((len(tracks), 1), dtype=np.int64)
    if len(grid) > 1:
        distances = grid_distances(tracks, time, motion, grid, weight)
        chosen = _lowest(distances.reshape(len(tracks), *map(len, axes)), STARTS)
    coefficients, _ = fit_ratio(tracks[:, None], motion.matrix(time, grid[chosen]), weight[:, None], rounds=3)
    first = coefficients.shape[-1]

    def linearize(unknowns: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        position, jacobian, denominator = evaluate_ratio(motion, time, unknowns)
        residual = (tracks[:, None] - position) * weight[:, None, :, None]
        return residual, jacobian * weight[:, None, :, None, None], denominator > LOWEST

    def project(unknowns: Floats) -> Floats:
        return np.concatenate([unknowns[..., :first], unknowns[..., first:].clip(low, high)], axis=-1)

    start = np.concatenate([coefficients, grid[chosen]], axis=-1)
    unknowns, square = levenberg_marquardt(linearize, start, ROUNDS, DAMPING, project)
    return square, unknowns


def _lowest(distances: Floats, count: int) -> NDArray[np.int64]:
    """Return the ``(N, count)`` flat indices of the lowest local minima on a grid, then those of the lowest values."""
    neighbors = ndimage.generate_binary_structure(distances.ndim - 1, 1)[None]
    least = ndimage.minimum_filter(distances, footprint=neighbors, mode="constant", cval=np.inf)
    order = np.argsort(
        np.where(distances <= least, distances, distances + 1e6).reshape(len(distances), -1), axis=1, kind="stable"
    )
    return order[:, :count]
