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
from scipy.stats import chi2, norm

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
NEEDED = 13 / 16  # share of the frames in which an object can be seen that must show it
FINEST = 1e-3  # px; no noise or residual is taken to be smaller
FIXED_SIGMA = 0.2  # px, of the judge that is the same for every source
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

    @property
    def still(self) -> NDArray[np.bool_]:
        """``(N,)``: whether a track with enough points is at rest. Every family fits it, and it follows none."""
        return np.asarray((self.extent < STILL) & np.isfinite(self.square).any(axis=1))


@dataclass(frozen=True)
class Judge:
    """A judge for points of one source, such as tracked reconstructions.

    Attributes:
        sigma: Noise of a coordinate in px, an upper limit for nearly all clips of the source.
        limits: Largest RMS residual in px of a track of each family.
        classes: Names of the dataset's classes. A judged class is an index into them.
        measured: Whether sigma is measured. It is not where no object of ``val`` is tracked, as by a blind tokenizer.
    """

    sigma: float
    limits: Mapping[str, float]
    classes: tuple[str, ...]
    measured: bool = True

    @classmethod
    def at(cls, sigma: float, classes: tuple[str, ...], frames: int) -> "Judge":
        """Return a judge for white Gaussian noise, which knows no source: its figures compare across sources.

        Args:
            sigma: Standard deviation of a coordinate in px.
            classes: Names of the classes.
            frames: T.
        """
        quantiles = {motion.name: _gaussian_square(motion.unknowns, frames) for motion in families_named(classes)}
        return cls(
            sigma, {name: sigma * float(np.sqrt(square / frames)) for name, square in quantiles.items()}, classes
        )

    def classify(self, points: Floats, valid: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Return ``(N,)`` classes, or `NONE`, of ``(N, T, 2)`` points; see `fit_families`."""
        return self.choose(fit_families(points, self.classes, valid))

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
        fits_well &= ~fits.still
        label = np.array([self.classes.index(name) if name in self.classes else NONE for name in fits.families])
        return np.asarray(np.where(fits_well, label[best], NONE), dtype=np.int64)

    def as_json(self) -> dict[str, Any]:
        """Return the judge's part of a scoreboard; classes that are no motion family are listed as unjudged."""
        unjudged = self.unjudged
        return {"sigma": self.sigma, "limits": dict(self.limits), **({"unjudged": unjudged} if unjudged else {})}

    @property
    def unjudged(self) -> list[str]:
        """Classes that are no registered motion family."""
        families = {motion.name for motion in families_named(self.classes)}
        return [name for name in self.classes if name not in families]

    @property
    def remarks(self) -> list[str]:
        """What a reader of the figures must know, in lines of a scoreboard."""
        unjudged = self.unjudged
        if len(unjudged) == len(self.classes):
            return [f"no class match and no physics residual: no class ({', '.join(unjudged)}) is a motion family"]
        left_out = [f"class match and physics residual leave out {', '.join(unjudged)}: no motion family"]
        source = "measured on val" if self.measured else "not measured, since no object of val is tracked"
        return [
            f"the judge allows for a noise of {self.sigma:.3f} px, {source}; its figures do not compare with "
            f"those under another sigma, class_match_at does (sigma {FIXED_SIGMA} px)",
            *(left_out if unjudged else []),
        ]


def calibrate(
    points: Floats,
    truth: Floats,
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    valid: NDArray[np.bool_] | None = None,
    tracked: bool = False,
) -> Judge:
    """Measure the noise of a source, and the residuals of each family, on calibration clips.

    Both are extrapolated from the middle of their distributions, so that a bad frame or clip changes neither.

    Args:
        points: ``(N, T, 2)`` points of the source; NaN where there is none.
        truth: ``(N, T, 2)`` true positions.
        labels: ``(N,)`` true classes.
        classes: Names of the classes. Those that are no registered motion family are never judged.
        valid: ``(N, T)`` frames in which the object can be seen; None for all.
        tracked: Whether the truth is not stored but tracked. Such motions follow their family only so well; what they
            deviate from it counts as noise, too.
    """
    residual = own_residuals(fit_families(truth, classes, valid), labels, classes) if tracked else np.zeros(len(truth))
    measured = _sigma(points, truth, valid, np.nan_to_num(residual, posinf=0.0))
    sigma = measured or LOST
    fits = fit_families(points, classes, valid)
    medians, ratios = {}, []
    for column, name in enumerate(fits.families):
        rms = fits.rms[labels == classes.index(name), column]
        rms = np.maximum(rms[np.isfinite(rms)], FINEST)
        if len(rms):
            medians[name] = float(np.median(rms))
            ratios.append(rms / medians[name])
    # Pooled over the families, a few hundred clips say more. The tail is at least that of Gaussian noise.
    tail = _upper_quantile(np.concatenate(ratios), QUANTILE) if ratios else np.inf
    limits = dict(Judge.at(sigma, classes, points.shape[1]).limits)  # for families without clips
    for unknowns, name in zip(fits.unknowns.tolist(), fits.families, strict=True):
        if name in medians:
            freedom = max(2 * points.shape[1] - unknowns, 1)
            gaussian = float(np.sqrt(_gaussian_square(unknowns, points.shape[1]) / chi2.ppf(0.5, freedom)))
            limits[name] = max(tail, gaussian) * medians[name]
    return Judge(sigma, limits, classes, measured is not None)


def own_residuals(fits: Fits, labels: NDArray[np.int64], classes: Sequence[str]) -> Floats:
    """Return ``(N,)`` RMS distances in px of tracks from the family of their class; NaN where it is none.

    Infinite for a track that is not fitted, and for one at rest.
    """
    column = np.array([fits.families.index(name) if name in fits.families else NONE for name in classes])[labels]
    residuals = np.full(len(labels), np.nan)
    rows = np.flatnonzero(column != NONE)
    residuals[rows] = np.where(fits.still[rows], np.inf, fits.rms[rows, column[rows]])
    return residuals


def noise_of(points: Floats, truth: Floats, valid: NDArray[np.bool_] | None = None) -> float:
    """Return an upper limit, for nearly all clips, of the noise of a coordinate in px; arguments as of `calibrate`."""
    return _sigma(points, truth, valid, np.zeros(len(points))) or LOST


def _sigma(points: Floats, truth: Floats, valid: NDArray[np.bool_] | None, residual: Floats) -> float | None:
    """Return the noise of a coordinate in px, with ``(N,)`` residuals of the truth; None where nothing is tracked."""
    error = points - truth
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(error).all(axis=-1))
    tracked = finite & (np.linalg.norm(np.nan_to_num(error), axis=-1) < LOST)
    tracked &= True if valid is None else valid
    square = np.where(tracked[..., None], np.nan_to_num(error) ** 2, 0.0).sum(axis=(1, 2))
    clips = tracked.any(axis=1)
    noise = square[clips] / (2 * tracked[clips].sum(axis=1)) + residual[clips] ** 2 / 2
    # Noise differs between clips and is not white within a clip. With its mean, a noisy line would become a helix.
    return float(np.sqrt(_upper_quantile(np.maximum(noise, FINEST**2), NOISIEST))) if len(noise) else None


def _upper_quantile(values: Floats, share: float) -> float:
    """Return a high quantile of positive values as of a log-normal distribution with their upper half's spread.

    It follows from the median and the 84th percentile, which the largest values do not change.
    """
    middle, high = np.quantile(np.log(values), [0.5, norm.cdf(1)])
    return float(np.exp(middle + norm.ppf(share) * (high - middle)))


def _gaussian_square(unknowns: int, frames: int) -> float:
    """Return the `QUANTILE` of the sum of squares that a fit leaves of white noise of variance 1."""
    return float(chi2.ppf(QUANTILE, max(2 * frames - unknowns, 1)))


def fit_families(points: Floats, classes: Sequence[str], valid: NDArray[np.bool_] | None = None) -> Fits:
    """Fit to N tracks every registered motion family that is among some classes.

    A track that shows its object in less than 13 of 16 frames is fitted by none.

    Args:
        points: ``(N, T, 2)`` positions in the picture at even times, px; NaN where there is none.
        classes: Names of classes.
        valid: ``(N, T)`` frames in which the object can be seen; the others are not used. None for all.
    """
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=-1))
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


def confusion(labels: NDArray[np.int64], judged: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return ``(classes, classes + 1)`` counts: true classes by judged ones; the last column counts ``none``."""
    table = np.zeros((classes, classes + 1), dtype=np.int64)
    np.add.at(table, (labels, np.where(judged == NONE, classes, judged)), 1)
    return table
