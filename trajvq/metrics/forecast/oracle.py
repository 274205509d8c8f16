"""The oracle's forecast: the true motion family, fitted to the context under the generator's own prior.

The generator samples uniform numbers in [0, 1) for a clip and maps each to its range. The oracle fits these numbers, so
it never considers a path that the generator could not make. Position and scale of a path in the world do not matter,
because the camera is placed relative to the path.

N tracks, S starts, n context frames, P numbers.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.camera import project
from trajvq.data.synthetic.motion import FAMILIES, TURN, Motion, perpendicular
from trajvq.data.synthetic.ranges import APPEARANCE, Range, Region, intervals
from trajvq.io.arrays import Floats, shown_in
from trajvq.metrics.least_squares import Damping, levenberg_marquardt

FREE = ("speed", "direction", "pan_x", "pan_y", "view_tilt", "view_azimuth", "distance")  # fitted for every family
PERIODIC = ("direction", "view_azimuth")  # of these, those whose two ends are the same
CANDIDATES = 4000  # random paths of the prior; the fit starts from the most similar ones
NEAREST = 24  # candidates per track that are moved, turned and scaled within their bounds
STARTS = 6  # of those that are fitted
ROUNDS = 20  # of the fit
DAMPING = Damping(start=1e-2, decrease=4, increase=3, ridge=1e-3)
STEP = 1e-5  # of numerical derivatives


class Prior:
    """The paths in the picture that the generator samples for one family and split.

    Args:
        motion: The family.
        regions: Regions of the split, see `trajvq.data.synthetic.ranges.Band.regions`.
        frames: Frames of the generator's clips, over which time goes from 0 to 1.
        size: Height and width of the picture in pixels.

    Attributes:
        names: Names of the P numbers that determine a path.
        ranges: The range of each number, and of the motion's `invariant` values.
        periodic: bool ``(P,)``: whether 0 and 1 are the same.
    """

    def __init__(self, motion: Motion, regions: Sequence[Region], frames: int, size: int) -> None:
        self.motion, self.frames, self.size = motion, frames, size
        self.names = [*FREE, *(name for name in motion.ranges if name not in (*motion.invariant, "sense"))]
        self.ranges: dict[str, Range] = {**motion.ranges, **{name: _hull(regions, name) for name in FREE}}
        self.periodic = np.array([name in (*PERIODIC, *motion.periodic) for name in self.names])
        widths = _hull(regions, "size")
        self.radius = size * (widths.low + widths.high) / 2

    def paths(self, numbers: Floats, sense: Floats, frames: int) -> Floats:
        """Return paths in the picture. Frames after those of the generator's clips extrapolate the same path.

        Args:
            numbers: ``(N, P)`` in [0, 1].
            sense: ``(N,)`` senses of rotation, -1 or 1.
            frames: Number of frames.

        Returns:
            ``(N, frames, 2)`` pixels.
        """
        sample = {name: self.ranges[name](np.full(len(numbers), 0.5)) for name in self.motion.invariant}
        sample |= {name: self.ranges[name](numbers[:, k]) for k, name in enumerate(self.names)}
        sample["sense"] = sense
        params = self.motion.solve(sample)
        time = np.arange(max(frames, self.frames)) / (self.frames - 1)
        return self._view(self.motion.position(params, time), self.motion.view_axis(params), sample)[:, :frames]

    def _view(self, position: Floats, axis: Floats, sample: Mapping[str, Floats]) -> Floats:
        """Frame the generator's own frames like `trajvq.data.synthetic.camera.frame`, without rounding."""
        clip = position[:, : self.frames]
        center = (clip.max(axis=1) + clip.min(axis=1)) / 2
        extent = np.linalg.norm(clip - center[:, None], axis=-1).max(axis=1, keepdims=True)
        first, second = perpendicular(axis)
        tilt, around = np.deg2rad(sample["view_tilt"])[:, None], np.deg2rad(sample["view_azimuth"])[:, None]
        toward = np.cos(tilt) * axis + np.sin(tilt) * (np.cos(around) * first + np.sin(around) * second)
        right, down = perpendicular(-toward)
        eye = center + sample["distance"][:, None] * extent * toward
        lens = np.broadcast_to([1.0, 0.0, 0.0], (len(eye), 3))  # focal length and principal point
        flat, depth = project(position, np.concatenate([eye, right, down, -toward, lens], axis=-1))
        steps = np.diff(flat[:, : self.frames], axis=1)
        roll = TURN * sample["direction"] - np.arctan2(steps[:, 0, 1], steps[:, 0, 0])
        focal = sample["speed"] * self.size / np.linalg.norm(steps, axis=-1).sum(axis=1)
        turned = (flat[..., 0] + 1j * flat[..., 1]) * (focal * np.exp(1j * roll))[:, None]
        flat = np.stack([turned.real, turned.imag], axis=-1)
        depth = depth[:, : self.frames]
        radius = self.radius / depth / (1 / depth).mean(axis=1, keepdims=True)
        margin = (radius + 0.5)[..., None]
        low = (margin - flat[:, : self.frames]).max(axis=1)
        high = (self.size - margin - flat[:, : self.frames]).min(axis=1)
        shift = low + (high - low) * np.stack([sample["pan_x"], sample["pan_y"]], axis=-1)
        return np.asarray(flat + shift[:, None])


def _hull(regions: Sequence[Region], name: str) -> Range:
    """Return the smallest range that covers all intervals of some regions."""
    ends = [end for region in regions for part in intervals(region, name) for end in part]
    return Range(min(ends), max(ends), APPEARANCE[name].unit)


def forecast_true_family(
    context: Floats, family: Sequence[str], regions: Sequence[Region], frames: int, total: int, size: int
) -> Floats:
    """Fit each track's true family to the context and extrapolate it.

    Args:
        context: ``(N, n, 2)`` positions in the first n frames, px; NaN where there is none.
        family: Name of each track's true family.
        regions: Regions of the split, see `Prior`.
        frames: Frames of the generator's clips.
        total: Number of frames including the context.
        size: Height and width of the picture in pixels.

    Returns:
        ``(N, total - n, 2)`` px; NaN for a clip without any position, or whose family is not registered.
    """
    forecast = np.full((len(context), total - context.shape[1], 2), np.nan)
    names = np.array(family)
    for motion in FAMILIES:
        rows = np.flatnonzero(names == motion.name)
        finite = shown_in(context[rows])
        rows = rows[finite.any(axis=1)]
        if len(rows):
            prior = Prior(motion, regions, frames, size)
            numbers, sense = _fit(prior, context[rows])
            forecast[rows] = prior.paths(numbers, sense, total)[:, context.shape[1] :]
    return forecast


def _fit(prior: Prior, context: Floats) -> tuple[Floats, Floats]:
    """Return the ``(N, P)`` numbers and ``(N,)`` senses that fit best."""
    finite = shown_in(context)
    points, weight = np.where(finite[..., None], context, 0.0), finite.astype(float)
    numbers, sense = _starts(prior, points, weight)
    numbers, square = _refine(prior, points[:, None], weight[:, None], numbers, sense)
    best, rows = square.argmin(axis=1), np.arange(len(context))
    return numbers[rows, best], sense[rows, best]


def _starts(prior: Prior, points: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return ``(N, S, P)`` numbers and ``(N, S)`` senses of paths of the prior that are close to the points."""
    generator = np.random.default_rng(0)
    candidates = generator.random((CANDIDATES, len(prior.names)))
    senses = np.where(generator.random(CANDIDATES) < 0.5, -1.0, 1.0)
    path = prior.paths(candidates, senses, points.shape[1])
    flat, target = path[..., 0] + 1j * path[..., 1], points[..., 0] + 1j * points[..., 1]
    # Bring every path as close as possible to every track by a similarity: least squares on complex numbers.
    count = weight.sum(axis=1)[:, None]
    middle, aim = weight @ flat.T / count, (weight * target).sum(axis=1)[:, None] / count
    power = weight @ np.square(np.abs(flat)).T - count * np.square(np.abs(middle))
    cross = (weight * target) @ flat.conj().T - count * aim * middle.conj()
    scale = cross / np.maximum(power, 1e-9)
    nearest = np.argsort(-(np.abs(cross) ** 2) / np.maximum(power, 1e-9), axis=1)[:, :NEAREST]
    numbers, sense = candidates[nearest], senses[nearest]
    scale = np.take_along_axis(scale, nearest, axis=1)
    interval, column = prior.ranges["speed"], {name: k for k, name in enumerate(prior.names)}
    speed = interval(numbers[..., column["speed"]]) * np.abs(scale)
    numbers[..., column["speed"]] = (speed - interval.low) / (interval.high - interval.low)
    numbers[..., column["direction"]] = (numbers[..., column["direction"]] + np.angle(scale) / TURN) % 1
    numbers = numbers.clip(0, 1)
    pans, ends = [column["pan_x"], column["pan_y"]], []
    for end in (0.0, 1.0):
        numbers[..., pans] = end
        path = _paths(prior, numbers, sense, points.shape[1])
        ends.append((path * weight[:, None, :, None]).sum(axis=2) / count[..., None])
    aims = np.stack([aim.real, aim.imag], axis=-1)
    numbers[..., pans] = ((aims - ends[0]) / np.maximum(ends[1] - ends[0], 1e-9)).clip(0, 1)
    residual = _residual(prior, points[:, None], weight[:, None], numbers, sense)
    best = np.square(residual).sum(axis=(2, 3)).argsort(axis=1)[:, :STARTS]
    return np.take_along_axis(numbers, best[..., None], axis=1), np.take_along_axis(sense, best, axis=1)


def _paths(prior: Prior, numbers: Floats, sense: Floats, frames: int) -> Floats:
    """Return ``(N, S, frames, 2)`` paths from ``(N, S, P)`` numbers."""
    paths = prior.paths(numbers.reshape(-1, numbers.shape[-1]), sense.reshape(-1), frames)
    return paths.reshape(*sense.shape, frames, 2)


def _residual(prior: Prior, points: Floats, weight: Floats, numbers: Floats, sense: Floats) -> Floats:
    return (points - _paths(prior, numbers, sense, points.shape[-2])) * weight[..., None]


def _refine(prior: Prior, points: Floats, weight: Floats, numbers: Floats, sense: Floats) -> tuple[Floats, Floats]:
    """Fit within the bounds; return the numbers ``(N, S, P)`` and their sums of squares ``(N, S)``."""

    def linearize(numbers: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        residual = _residual(prior, points, weight, numbers, sense)
        columns = []
        for k in range(numbers.shape[-1]):
            moved = numbers.copy()
            step = np.where(moved[..., k] > 0.5, -STEP, STEP)
            moved[..., k] += step
            after = _residual(prior, points, weight, moved, sense)
            columns.append((residual - after) / step[..., None, None])
        return residual, np.stack(columns, axis=-1), np.ones(sense.shape, dtype=bool)

    def clip(numbers: Floats) -> Floats:
        return np.where(prior.periodic, numbers % 1, numbers.clip(0, 1))

    def blocked(numbers: Floats, descent: Floats) -> NDArray[np.bool_]:
        outward = ((numbers <= 0) & (descent < 0)) | ((numbers >= 1) & (descent > 0))
        return np.asarray(outward & ~prior.periodic)

    return levenberg_marquardt(linearize, numbers, ROUNDS, DAMPING, clip, blocked)
