"""The oracle's forecast: the true motion family, fitted to places seen, under the generator's own prior.

Whatever the generator draws for a clip is a number in [0, 1), mapped onto its range, and all of them are equally
likely. So the fit moves these numbers: a path that the generator could not make is never considered. World
translation, scale and heading do not change what the camera shows, since it is placed relative to the path.

N tracks, S starts, n places seen, F frames in all, P numbers.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.camera import project
from trajvq.data.synthetic.motion import FAMILIES, TURN, Motion, perpendicular
from trajvq.data.synthetic.ranges import LOOK, Range, Region, intervals
from trajvq.io.arrays import Floats

FREE = ("speed", "direction", "pan_x", "pan_y", "view_tilt", "view_azimuth", "distance")
FIXED = {"x": 0.5, "y": 0.5, "z": 0.5, "length": 0.5, "radius": 0.5, "width": 0.5}  # the camera undoes them
ROUND = ("direction", "view_azimuth", "azimuth", "phase")  # what goes on at 0 where it ends at 1
BANK = 4000  # paths drawn from the prior; the fit starts from the nearest
NEAREST = 24  # of them that are tried, moved, turned and scaled within their bounds
STARTS = 6  # of those that are fitted
ROUNDS = 20  # of Levenberg and Marquardt's method
STEP = 1e-5  # of derivatives


class Prior:
    """What the generator draws for the clips of one family and split, as paths in the picture.

    Args:
        motion: The family.
        regions: Of the split, see `trajvq.data.synthetic.ranges.Band.regions`.
        frames: Frames that the generator places, over which its time goes from 0 to 1.
        size: Height and width of the picture in pixels.
    """

    def __init__(self, motion: Motion, regions: Sequence[Region], frames: int, size: int) -> None:
        self.motion, self.frames, self.size = motion, frames, size
        own = [name for name in motion.ranges if name not in (*FIXED, "sense")]
        self.names = [*FREE, *own]
        self.ranges: dict[str, Range] = {**motion.ranges, **{name: _hull(regions, name) for name in FREE}}
        widths = _hull(regions, "size")
        self.radius = size * (widths.low + widths.high) / 2

    def paths(self, numbers: Floats, sense: Floats, frames: int) -> Floats:
        """Return ``(N, frames, 2)`` pixels of ``(N, P)`` numbers in [0, 1] and ``(N,)`` senses of rotation, -1 or 1.

        Frames beyond the generator's own go on along the same path.
        """
        drawn = {
            name: self.ranges[name](np.full(len(numbers), value))
            for name, value in FIXED.items()
            if name in self.ranges
        }
        drawn |= {name: self.ranges[name](numbers[:, k]) for k, name in enumerate(self.names)}
        drawn["sense"] = sense
        params = self.motion.solve(drawn)
        time = np.arange(max(frames, self.frames)) / (self.frames - 1)
        return self._seen(self.motion.position(params, time), self.motion.view_axis(params), drawn)[:, :frames]

    def _seen(self, position: Floats, axis: Floats, look: Mapping[str, Floats]) -> Floats:
        """Do what `trajvq.data.synthetic.camera.frame` does, by the generator's own frames, without rounding."""
        shown = position[:, : self.frames]
        centre = (shown.max(axis=1) + shown.min(axis=1)) / 2
        extent = np.linalg.norm(shown - centre[:, None], axis=-1).max(axis=1, keepdims=True)
        first, second = perpendicular(axis)
        tilt, around = np.deg2rad(look["view_tilt"])[:, None], np.deg2rad(look["view_azimuth"])[:, None]
        toward = np.cos(tilt) * axis + np.sin(tilt) * (np.cos(around) * first + np.sin(around) * second)
        right, down = perpendicular(-toward)
        eye = centre + look["distance"][:, None] * extent * toward
        rest = np.broadcast_to([1.0, 0.0, 0.0], (len(eye), 3))
        flat, depth = project(position, np.concatenate([eye, right, down, -toward, rest], axis=-1))
        steps = np.diff(flat[:, : self.frames], axis=1)
        roll = TURN * look["direction"] - np.arctan2(steps[:, 0, 1], steps[:, 0, 0])
        focal = look["speed"] * self.size / np.linalg.norm(steps, axis=-1).sum(axis=1)
        turned = (flat[..., 0] + 1j * flat[..., 1]) * (focal * np.exp(1j * roll))[:, None]
        flat = np.stack([turned.real, turned.imag], axis=-1)
        depth = depth[:, : self.frames]
        radius = self.radius / depth / (1 / depth).mean(axis=1, keepdims=True)
        reach = (radius + 0.5)[..., None]
        low, high = (
            (reach - flat[:, : self.frames]).max(axis=1),
            (self.size - reach - flat[:, : self.frames]).min(axis=1),
        )
        shift = low + (high - low) * np.stack([look["pan_x"], look["pan_y"]], axis=-1)
        return np.asarray(flat + shift[:, None])


def _hull(regions: Sequence[Region], name: str) -> Range:
    """Return the smallest range that holds all that some regions allow."""
    ends = [end for region in regions for part in intervals(region, name) for end in part]
    return Range(min(ends), max(ends), LOOK[name].unit)


def forecast_true_family(
    context: Floats, family: Sequence[str], regions: Sequence[Region], frames: int, total: int, size: int
) -> Floats:
    """Fit the true family to the places seen and return where it goes.

    Args:
        context: ``(N, n, 2)`` places seen in the first frames, px; NaN where there is none.
        family: Name of each track's true family.
        regions: The split's, see `Prior`.
        frames: Frames of the generator's clips.
        total: Frames in all, those seen included.
        size: Height and width of the picture.

    Returns:
        ``(N, total - n, 2)`` px; NaN where nothing was seen, or the family is none of the generator's.
    """
    made = np.full((len(context), total - context.shape[1], 2), np.nan)
    names = np.array(family)
    for motion in FAMILIES:
        rows = np.flatnonzero(names == motion.name)
        seen: NDArray[np.bool_] = np.asarray(np.isfinite(context[rows]).all(axis=-1))
        rows = rows[seen.any(axis=1)]
        if len(rows):
            prior = Prior(motion, regions, frames, size)
            numbers, sense = _fit(prior, context[rows])
            made[rows] = prior.paths(numbers, sense, total)[:, context.shape[1] :]
    return made


def _fit(prior: Prior, context: Floats) -> tuple[Floats, Floats]:
    """Return the ``(N, P)`` numbers and ``(N,)`` senses that fit best."""
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(context).all(axis=-1))
    places, weight = np.where(seen[..., None], context, 0.0), seen.astype(float)
    numbers, sense = _starts(prior, places, weight)
    numbers, square = _refine(prior, places[:, None], weight[:, None], numbers, sense)
    best, rows = square.argmin(axis=1), np.arange(len(context))
    return numbers[rows, best], sense[rows, best]


def _starts(prior: Prior, places: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return ``(N, S, P)`` numbers and ``(N, S)`` senses of paths of the prior that come near the places."""
    chance = np.random.default_rng(0)
    bank = chance.random((BANK, len(prior.names)))
    turns = np.where(chance.random(BANK) < 0.5, -1.0, 1.0)
    path = prior.paths(bank, turns, places.shape[1])
    flat, wanted = path[..., 0] + 1j * path[..., 1], places[..., 0] + 1j * places[..., 1]
    # The similarity that brings every path nearest to every track, by least squares on complex numbers.
    count = weight.sum(axis=1)[:, None]
    middle, aim = weight @ flat.T / count, (weight * wanted).sum(axis=1)[:, None] / count
    own = weight @ np.square(np.abs(flat)).T - count * np.square(np.abs(middle))
    cross = (weight * wanted) @ flat.conj().T - count * aim * middle.conj()
    scale = cross / np.maximum(own, 1e-9)
    nearest = np.argsort(-(np.abs(cross) ** 2) / np.maximum(own, 1e-9), axis=1)[:, :NEAREST]
    numbers, sense = bank[nearest], turns[nearest]
    scale = np.take_along_axis(scale, nearest, axis=1)
    span, at = prior.ranges["speed"], {name: k for k, name in enumerate(prior.names)}
    speed = span(numbers[..., at["speed"]]) * np.abs(scale)
    numbers[..., at["speed"]] = (speed - span.low) / (span.high - span.low)
    numbers[..., at["direction"]] = (numbers[..., at["direction"]] + np.angle(scale) / TURN) % 1
    numbers = numbers.clip(0, 1)
    pans, ends = [at["pan_x"], at["pan_y"]], []
    for end in (0.0, 1.0):
        numbers[..., pans] = end
        path = _paths(prior, numbers, sense, places.shape[1])
        ends.append((path * weight[:, None, :, None]).sum(axis=2) / count[..., None])
    aims = np.stack([aim.real, aim.imag], axis=-1)
    numbers[..., pans] = ((aims - ends[0]) / np.maximum(ends[1] - ends[0], 1e-9)).clip(0, 1)
    missed = _residual(prior, places[:, None], weight[:, None], numbers, sense)
    best = np.square(missed).sum(axis=(2, 3)).argsort(axis=1)[:, :STARTS]
    return np.take_along_axis(numbers, best[..., None], axis=1), np.take_along_axis(sense, best, axis=1)


def _paths(prior: Prior, numbers: Floats, sense: Floats, frames: int) -> Floats:
    """Return ``(N, S, frames, 2)`` paths of ``(N, S, P)`` numbers."""
    made = prior.paths(numbers.reshape(-1, numbers.shape[-1]), sense.reshape(-1), frames)
    return made.reshape(*sense.shape, frames, 2)


def _residual(prior: Prior, places: Floats, weight: Floats, numbers: Floats, sense: Floats) -> Floats:
    return (places - _paths(prior, numbers, sense, places.shape[-2])) * weight[..., None]


def _refine(prior: Prior, places: Floats, weight: Floats, numbers: Floats, sense: Floats) -> tuple[Floats, Floats]:
    """Fit by Levenberg and Marquardt's method within the bounds; returns numbers and ``(N, S)`` sums of squares."""
    round_ = np.array([name in ROUND for name in prior.names])
    residual = _residual(prior, places, weight, numbers, sense)
    best, damping = np.square(residual).sum(axis=(2, 3)), np.full(sense.shape, 1e-2)
    identity = np.eye(numbers.shape[-1])
    for _ in range(ROUNDS):
        columns = []
        for k in range(numbers.shape[-1]):
            moved = numbers.copy()
            step = np.where(moved[..., k] > 0.5, -STEP, STEP)
            moved[..., k] += step
            after = _residual(prior, places, weight, moved, sense)
            columns.append((residual - after) / step[..., None, None])
        slope = np.stack(columns, axis=-1).reshape(*sense.shape, -1, numbers.shape[-1])
        flat = residual.reshape(*sense.shape, -1, 1)
        turned = np.swapaxes(slope, -1, -2)
        normal, gradient = turned @ slope, turned @ flat
        # A number at its bound that the fit would push beyond it stays there.
        stuck = ~round_ & (((numbers <= 0) & (gradient[..., 0] < 0)) | ((numbers >= 1) & (gradient[..., 0] > 0)))
        normal = np.where(stuck[..., None] | stuck[..., None, :], 0.0, normal)
        gradient = np.where(stuck[..., None], 0.0, gradient)
        scale = (np.einsum("...ii->...i", normal)[..., None] + 1e-3) * identity
        tried = numbers + np.linalg.solve(normal + damping[..., None, None] * scale, gradient)[..., 0]
        tried = np.where(round_, tried % 1, tried.clip(0, 1))
        new = _residual(prior, places, weight, tried, sense)
        square = np.square(new).sum(axis=(2, 3))
        better = square < best
        numbers = np.where(better[..., None], tried, numbers)
        residual = np.where(better[..., None, None], new, residual)
        best = np.where(better, square, best)
        damping = np.clip(np.where(better, damping / 4, damping * 3), 1e-9, 1e6)
    return numbers, best
