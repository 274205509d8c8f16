"""Judge which motion family points in the picture follow, by projective fits without learned weights.

Each family that the classes name is fitted (see `trajvq.metrics.family_fits`). As families nest, the Bayesian
information criterion (Schwarz, 1978) chooses one, with the noise measured for the source of the points. Points that no
family fits are ``none``.

N tracks, T frames, F families.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from trajvq.data.synthetic.motion import families_named
from trajvq.io.arrays import Floats, shown_in
from trajvq.metrics.family_fits import Fits, fit_families, own_residuals

NONE = -1
QUANTILE = 0.999  # of the residuals of calibration clips; a larger residual is no motion family
NOISIEST = 0.99  # share of the calibration clips that have less noise than the judge allows for
FINEST = 1e-3  # px; no noise or residual is taken to be smaller
FIXED_SIGMA = 0.2  # px, of the judge that is the same for every source
LOST = 2.0  # px from the truth; beyond, the tracked object is another one


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


def noise_of(points: Floats, truth: Floats, valid: NDArray[np.bool_] | None = None) -> float:
    """Return an upper limit, for nearly all clips, of the noise of a coordinate in px; arguments as of `calibrate`."""
    return _sigma(points, truth, valid, np.zeros(len(points))) or LOST


def _sigma(points: Floats, truth: Floats, valid: NDArray[np.bool_] | None, residual: Floats) -> float | None:
    """Return the noise of a coordinate in px, with ``(N,)`` residuals of the truth; None where nothing is tracked."""
    error = points - truth
    finite = shown_in(error)
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


def confusion(labels: NDArray[np.int64], judged: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return ``(classes, classes + 1)`` counts: true classes by judged ones; the last column counts ``none``."""
    table = np.zeros((classes, classes + 1), dtype=np.int64)
    np.add.at(table, (labels, np.where(judged == NONE, classes, judged)), 1)
    return table
