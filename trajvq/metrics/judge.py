"""Say from points in the picture which motion they follow: projective fits, no learned weights.

Every family, seen through a pinhole camera, is a ratio of basis functions of time (see
`trajvq.data.synthetic.projective`). Each is fitted by least squares in the picture (Levenberg and Marquardt), the
angular velocity included, from several starts. The families nest, so the choice is by the Bayesian
information criterion (Schwarz, 1978) with a noise that is measured for the source of the points; what no
family fits is ``none``.

N tracks, S starts, T frames, J basis functions, P unknowns.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from trajvq.data.synthetic.projective import FREEDOM, TURNING, TURNS, basis, fit_ratio
from trajvq.io.arrays import Floats

NONE = -1
STARTS = 4  # angular velocities refined
ROUNDS = 25  # of Levenberg and Marquardt's method
FEWEST_TURNS, MOST_TURNS = 0.75, 3.2  # in the clip; a shorter arc, seen in perspective, is a parabola too
QUANTILE = 0.999  # of residuals on the calibration clips, above which a track is none of the families
NOISIEST = 0.99  # of the calibration clips have less noise than the judge allows for
FEWEST = 13  # points that a track needs to be judged
STILL = 2.0  # px; what stays within is at rest, which no family is
LOST = 2.0  # px from the truth, beyond which what is tracked is not the object
LOWEST = 0.05  # denominators, so that no pole lies on the path


@dataclass(frozen=True)
class Fits:
    """The best fit of every family to N tracks.

    Attributes:
        families: Names, in the order of the columns.
        square: ``(N, 4)`` sums of squared residuals in px², infinite where a track has too few points.
        points: ``(N,)`` points seen.
        extent: ``(N,)`` px between the outermost places, the larger of x and y.
    """

    families: tuple[str, ...]
    square: Floats
    points: NDArray[np.int64]
    extent: Floats

    @property
    def rms(self) -> Floats:
        """``(N, 4)`` RMS distance of the points from each family in px."""
        return np.asarray(np.sqrt(self.square / np.maximum(self.points, 1)[:, None]))


@dataclass(frozen=True)
class Judge:
    """A judge for points of one source, such as tracked reconstructions.

    Attributes:
        sigma: Noise of a coordinate in px that nearly all clips of the source stay below.
        limits: RMS residual in px, by family, above which a track is not of it.
        classes: Names of the dataset's classes; a judged class is its place here.
    """

    sigma: float
    limits: Mapping[str, float] = field(default_factory=dict)
    classes: tuple[str, ...] = tuple(FREEDOM)

    def choose(self, fits: Fits) -> NDArray[np.int64]:
        """Return ``(N,)`` classes, or `NONE`."""
        unknowns = np.array([FREEDOM[name] for name in fits.families])
        sample = 2 * np.maximum(fits.points, 1)[:, None]
        criterion = fits.square / self.sigma**2 + unknowns * np.log(sample)
        best = criterion.argmin(axis=1)
        rows = np.arange(len(best))
        limits = np.array([self.limits.get(name, np.inf) for name in fits.families])
        fits_well = np.isfinite(criterion[rows, best]) & (fits.rms[rows, best] <= limits[best])
        fits_well &= fits.extent >= STILL
        number = np.array([self.classes.index(name) if name in self.classes else NONE for name in fits.families])
        return np.asarray(np.where(fits_well, number[best], NONE), dtype=np.int64)

    def as_json(self) -> dict[str, Any]:
        """Return what a scoreboard writes down."""
        return {"sigma": self.sigma, "limits": asdict(self)["limits"]}


def calibrate(points: Floats, truth: Floats, labels: NDArray[np.int64], classes: tuple[str, ...]) -> Judge:
    """Measure the noise of a source and the residuals of its families on calibration clips.

    Args:
        points: ``(N, T, 2)`` points as the source gives them, NaN where nothing was seen.
        truth: ``(N, T, 2)`` true places.
        labels: ``(N,)`` true classes.
        classes: Names of the classes.
    """
    sigma = noise_of(points, truth)
    fits = fit_families(points)
    usual, ratios = {}, []
    for number, name in enumerate(fits.families):
        rows = np.flatnonzero(labels == classes.index(name)) if name in classes else np.zeros(0, dtype=int)
        rms = fits.rms[rows, number]
        rms = rms[np.isfinite(rms)]
        if len(rms):
            usual[name] = float(np.median(rms))
            ratios.append(rms / usual[name])
    # A few hundred clips do not reach their 99.9th percentile: pooled over families they come near it, and
    # Gaussian noise, whose tail is known, gives the least it can be.
    tail = float(np.quantile(np.concatenate(ratios), QUANTILE)) if ratios else np.inf
    limits = {}
    for name, median in usual.items():
        left = max(2 * points.shape[1] - FREEDOM[name], 1)  # degrees of freedom
        gaussian = float(np.sqrt(chi2.ppf(QUANTILE, left) / chi2.ppf(0.5, left)))
        limits[name] = max(tail, gaussian) * median
    return Judge(sigma, limits, classes)


def noise_of(points: Floats, truth: Floats) -> float:
    """Return the noise of a coordinate in px that nearly all clips stay below; arguments as of `calibrate`."""
    error = points - truth
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(error).all(axis=-1))
    near = seen & (np.linalg.norm(np.nan_to_num(error), axis=-1) < LOST)  # a lost object is no noise
    square = np.where(near[..., None], np.nan_to_num(error) ** 2, 0.0).sum(axis=(1, 2))
    clips = square[near.any(axis=1)] / (2 * near.sum(axis=1)[near.any(axis=1)])
    # Clips differ in noise, and within a clip it is not white: with the mean, a noisy line is taken for a helix.
    return max(float(np.sqrt(np.quantile(clips, NOISIEST))), 1e-3) if len(clips) else LOST


def fit_families(points: Floats) -> Fits:
    """Fit every family to N tracks.

    Args:
        points: ``(N, T, 2)`` places in the picture at even times, px; NaN where nothing was seen.
    """
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=-1))
    count = seen.sum(axis=1)
    enough = count >= min(FEWEST, points.shape[1])
    square = np.full((len(points), len(FREEDOM)), np.inf)
    rows = np.flatnonzero(enough)
    if len(rows):
        time = np.linspace(0, 1, points.shape[1])
        tracks, shown = np.nan_to_num(points[rows]), seen[rows].astype(float)
        middle = (tracks * shown[..., None]).sum(axis=1, keepdims=True) / shown.sum(axis=1)[:, None, None]
        centred = (tracks - middle) * shown[..., None]
        scale = np.abs(centred).max(axis=(1, 2)) + 1e-9
        scaled = centred / scale[:, None, None]
        for number, name in enumerate(FREEDOM):
            square[rows, number] = fit_family(scaled, shown, time, name)[0].min(axis=1) * scale**2
    # Families nest: a larger one never fits worse than one it holds.
    place = {name: number for number, name in enumerate(FREEDOM)}
    for larger, smaller in (("parabolic", "linear"), ("helical", "circular")):
        square[:, place[larger]] = np.minimum(square[:, place[larger]], square[:, place[smaller]])
    spread = [np.where(seen[..., None], points, far) for far in (-np.inf, np.inf)]
    extent = np.where(count > 0, (spread[0].max(axis=1) - spread[1].min(axis=1)).max(axis=-1), 0.0)
    return Fits(tuple(FREEDOM), square, count, extent)


def fit_family(tracks: Floats, shown: Floats, time: Floats, family: str) -> tuple[Floats, Floats]:
    """Fit one family to N tracks from several starts.

    Args:
        tracks: ``(N, T, 2)`` places, scaled to about 1.
        shown: ``(N, T)`` weights, 0 where there is no place.
        time: ``(T,)`` times; 0 to 1 over a clip.
        family: A key of `FREEDOM`.

    Returns:
        ``(N, S)`` sums of squares, and ``(N, S, P)`` unknowns, which `evaluate` takes.
    """
    turning = family in TURNING
    if turning:
        grid = TURNS[TURNS >= FEWEST_TURNS]
        turns = np.broadcast_to(grid, (len(tracks), len(grid)))
        rough = fit_ratio(tracks[:, None], basis(family, time, 2 * np.pi * turns), shown[:, None], rounds=2)[1]
        chosen = _lowest(rough, STARTS)
        omega = 2 * np.pi * np.take_along_axis(turns, chosen, axis=1)
    else:
        omega = np.zeros((len(tracks), 1))
    start, _ = fit_ratio(tracks[:, None], basis(family, time, omega), shown[:, None], rounds=3)
    unknowns = np.concatenate([start, omega[..., None]], axis=-1) if turning else start
    return _refine(tracks[:, None], shown[:, None], time, family, unknowns)


def _lowest(rough: Floats, count: int) -> NDArray[np.int64]:
    """Return the ``(N, count)`` places of the lowest local minima along a grid; then of the lowest values."""
    padded = np.pad(rough, ((0, 0), (1, 1)), constant_values=np.inf)
    dip = (rough <= padded[:, :-2]) & (rough <= padded[:, 2:])
    order = np.argsort(np.where(dip, rough, rough + 1e6), axis=1, kind="stable")
    return order[:, :count]


def evaluate(family: str, time: Floats, unknowns: Floats) -> tuple[Floats, Floats, Floats]:
    """Return places ``(N, S, T, 2)``, their Jacobian ``(N, S, T, 2, P)`` and the least denominators ``(N, S)``."""
    turning = family in TURNING
    omega = unknowns[..., -1] if turning else np.zeros(unknowns.shape[:-1])
    phi = basis(family, time, omega)
    terms = phi.shape[-1]
    x, y = unknowns[..., :terms], unknowns[..., terms : 2 * terms]
    low = unknowns[..., 2 * terms : 3 * terms - 1]
    bottom = 1 + (phi[..., 1:] @ low[..., None])[..., 0]
    safe = np.where(np.abs(bottom) < LOWEST, LOWEST, bottom)
    place = np.stack([(phi @ x[..., None])[..., 0], (phi @ y[..., None])[..., 0]], axis=-1) / safe[..., None]
    slope = np.zeros((*place.shape, unknowns.shape[-1]))
    slope[..., 0, :terms] = slope[..., 1, terms : 2 * terms] = phi / safe[..., None]
    slope[..., 2 * terms : 3 * terms - 1] = -place[..., None] * phi[..., None, 1:] / safe[..., None, None]
    if turning:
        angle = omega[..., None] * time
        turned = np.zeros_like(phi)
        turned[..., -2], turned[..., -1] = -time * np.sin(angle), time * np.cos(angle)
        drift = (turned[..., 1:] @ low[..., None])[..., 0]
        for axis, top in enumerate((x, y)):
            slope[..., axis, -1] = ((turned @ top[..., None])[..., 0] - place[..., axis] * drift) / safe
    return place, slope, bottom.min(axis=-1)


def _refine(tracks: Floats, shown: Floats, time: Floats, family: str, unknowns: Floats) -> tuple[Floats, Floats]:
    """Return ``(N, S)`` sums of squares and the unknowns after Levenberg and Marquardt's method from every start."""
    weight = shown[..., None]
    damping = np.full(unknowns.shape[:-1], 1e-3)
    place, slope, _ = evaluate(family, time, unknowns)
    residual = (tracks - place) * weight
    best = np.square(residual).sum(axis=(-1, -2))
    identity = np.eye(unknowns.shape[-1])
    for _ in range(ROUNDS):
        flat = (slope * weight[..., None]).reshape(*slope.shape[:-3], -1, slope.shape[-1])
        turned = np.swapaxes(flat, -1, -2)
        normal = turned @ flat
        scale = np.einsum("...ii->...i", normal)[..., None] * identity + 1e-12 * identity
        gradient = (turned @ residual.reshape(*residual.shape[:-2], -1, 1))[..., 0]
        step = np.linalg.solve(normal + damping[..., None, None] * scale, gradient[..., None])[..., 0]
        tried = unknowns + step
        if family in TURNING:
            tried[..., -1] = tried[..., -1].clip(2 * np.pi * FEWEST_TURNS, 2 * np.pi * MOST_TURNS)
        place, new_slope, bottom = evaluate(family, time, tried)
        new_residual = (tracks - place) * weight
        square = np.square(new_residual).sum(axis=(-1, -2))
        better = (square < best) & (bottom > LOWEST)
        unknowns = np.where(better[..., None], tried, unknowns)
        residual = np.where(better[..., None, None], new_residual, residual)
        slope = np.where(better[..., None, None, None], new_slope, slope)
        best = np.where(better, square, best)
        damping = np.clip(np.where(better, damping / 5, damping * 4), 1e-9, 1e6)
    return best, unknowns


def confusion(labels: NDArray[np.int64], judged: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return ``(classes, classes + 1)`` counts: true classes by judged ones, the last column ``none``."""
    table = np.zeros((classes, classes + 1), dtype=np.int64)
    np.add.at(table, (labels, np.where(judged == NONE, classes, judged)), 1)
    return table
