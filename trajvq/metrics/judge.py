"""Judge which motion family points in the picture follow, by projective fits without learned weights.

Through a pinhole camera every family is a ratio of basis functions of time (see `trajvq.data.synthetic.projective`).
Each family that the classes name is fitted by least squares in the picture from several starts. As families nest, the
Bayesian information criterion (Schwarz, 1978) chooses one, with the noise measured for the source of the points.
Points that no family fits are ``none``.

N tracks, T frames, F families, S starts, P unknowns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import chi2

from trajvq.data.synthetic.motion import Motion, families_named
from trajvq.data.synthetic.projective import LOWEST, evaluate_ratio, fit_ratio, grid_distances, product
from trajvq.io.arrays import Floats
from trajvq.metrics.least_squares import Damping, levenberg_marquardt

NONE = -1
STARTS = 4  # minima of the grid of nonlinear parameters that are refined
ROUNDS = 25  # of the refinement
DAMPING = Damping(start=1e-3, decrease=5, increase=4, ridge=1e-12)
QUANTILE = 0.999  # of the residuals of calibration clips; a larger residual is no motion family
NOISIEST = 0.99  # share of the calibration clips that have less noise than the judge allows for
FEWEST = 13  # points that a track needs
STILL = 2.0  # px; an object with a smaller extent is at rest, which no family is
LOST = 2.0  # px from the truth; beyond, the tracked object is another one


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


@dataclass(frozen=True)
class Judge:
    """A judge for points of one source, such as tracked reconstructions.

    Attributes:
        sigma: Noise of a coordinate in px, an upper limit for nearly all clips of the source.
        limits: Largest RMS residual in px of a track of each family.
        classes: Names of the dataset's classes. A judged class is an index into them.
    """

    sigma: float
    limits: Mapping[str, float]
    classes: tuple[str, ...]

    def classify(self, points: Floats) -> NDArray[np.int64]:
        """Return ``(N,)`` classes, or `NONE`, of ``(N, T, 2)`` points; see `fit_families`."""
        return self.choose(fit_families(points, self.classes))

    def choose(self, fits: Fits) -> NDArray[np.int64]:
        """Return ``(N,)`` classes, or `NONE`, from fits of the families among the classes."""
        if not fits.families:
            return np.full(len(fits.points), NONE)
        count = 2 * np.maximum(fits.points, 1)[:, None]
        criterion = fits.square / self.sigma**2 + fits.unknowns * np.log(count)
        best = criterion.argmin(axis=1)
        rows = np.arange(len(best))
        limits = np.array([self.limits.get(name, np.inf) for name in fits.families])
        fits_well = np.isfinite(criterion[rows, best]) & (fits.rms[rows, best] <= limits[best])
        fits_well &= fits.extent >= STILL
        label = np.array([self.classes.index(name) if name in self.classes else NONE for name in fits.families])
        return np.asarray(np.where(fits_well, label[best], NONE), dtype=np.int64)

    def as_json(self) -> dict[str, Any]:
        """Return the judge's part of a scoreboard; classes that are no motion family are listed as unjudged."""
        families = {motion.name for motion in families_named(self.classes)}
        unjudged = [name for name in self.classes if name not in families]
        return {"sigma": self.sigma, "limits": dict(self.limits), **({"unjudged": unjudged} if unjudged else {})}


def calibrate(points: Floats, truth: Floats, labels: NDArray[np.int64], classes: tuple[str, ...]) -> Judge:
    """Measure the noise of a source, and the residuals of each family, on calibration clips.

    Args:
        points: ``(N, T, 2)`` points of the source; NaN where there is none.
        truth: ``(N, T, 2)`` true positions.
        labels: ``(N,)`` true classes.
        classes: Names of the classes. Those that are no registered motion family are never judged.
    """
    sigma = noise_of(points, truth)
    fits = fit_families(points, classes)
    medians, ratios = {}, []
    for column, name in enumerate(fits.families):
        rms = fits.rms[labels == classes.index(name), column]
        rms = rms[np.isfinite(rms)]
        if len(rms):
            medians[name] = float(np.median(rms))
            ratios.append(rms / medians[name])
    # A few hundred clips say little about their 99.9th percentile. Pooled over the families they say more, and it is
    # at least the percentile of Gaussian noise, which is known.
    tail = float(np.quantile(np.concatenate(ratios), QUANTILE)) if ratios else np.inf
    limits = {}
    for unknowns, name in zip(fits.unknowns.tolist(), fits.families, strict=True):
        if name in medians:
            freedom = max(2 * points.shape[1] - unknowns, 1)
            gaussian = float(np.sqrt(chi2.ppf(QUANTILE, freedom) / chi2.ppf(0.5, freedom)))
            limits[name] = max(tail, gaussian) * medians[name]
    return Judge(sigma, limits, classes)


def noise_of(points: Floats, truth: Floats) -> float:
    """Return an upper limit, for nearly all clips, of the noise of a coordinate in px; arguments as of `calibrate`."""
    error = points - truth
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(error).all(axis=-1))
    tracked = finite & (np.linalg.norm(np.nan_to_num(error), axis=-1) < LOST)
    square = np.where(tracked[..., None], np.nan_to_num(error) ** 2, 0.0).sum(axis=(1, 2))
    clips = square[tracked.any(axis=1)] / (2 * tracked.sum(axis=1)[tracked.any(axis=1)])
    # Noise differs between clips and is not white within a clip. With its mean, a noisy line would become a helix.
    return max(float(np.sqrt(np.quantile(clips, NOISIEST))), 1e-3) if len(clips) else LOST


def fit_families(points: Floats, classes: Sequence[str]) -> Fits:
    """Fit to N tracks every registered motion family that is among some classes.

    Args:
        points: ``(N, T, 2)`` positions in the picture at even times, px; NaN where there is none.
        classes: Names of classes.
    """
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=-1))
    count = finite.sum(axis=1)
    families = families_named(classes)
    square = np.full((len(points), len(families)), np.inf)
    rows = np.flatnonzero(count >= min(FEWEST, points.shape[1]))
    if len(rows):
        time = np.linspace(0, 1, points.shape[1])
        tracks, weight = np.nan_to_num(points[rows]), finite[rows].astype(float)
        middle = (tracks * weight[..., None]).sum(axis=1, keepdims=True) / weight.sum(axis=1)[:, None, None]
        centered = (tracks - middle) * weight[..., None]
        scale = np.abs(centered).max(axis=(1, 2)) + 1e-9
        scaled = centered / scale[:, None, None]
        for column, motion in enumerate(families):
            square[rows, column] = fit_family(scaled, weight, time, motion)[0].min(axis=1) * scale**2
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


def confusion(labels: NDArray[np.int64], judged: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return ``(classes, classes + 1)`` counts: true classes by judged ones; the last column counts ``none``."""
    table = np.zeros((classes, classes + 1), dtype=np.int64)
    np.add.at(table, (labels, np.where(judged == NONE, classes, judged)), 1)
    return table
