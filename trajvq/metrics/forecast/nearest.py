"""The nearest training clip as a forecast: how the most similar path goes on, moved as the training moves it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats, shown_in


@dataclass(frozen=True)
class Moves:
    """How paths of training clips may be moved, as in the training of the forecaster beside which the row stands.

    Attributes:
        anywhere: Mirror, play backwards, rotate by any angle and move to any place, as
            `trajvq.augment.PathSymmetries` does. The other attributes are ignored then.
        symmetries: Any of ``columns``, ``rows``, ``transpose`` (square pictures) and ``reverse``, as
            `trajvq.augment.ClipSymmetries` has them; others are ignored.
        shift: Largest shift of x and of y in pixels.
    """

    anywhere: bool = False
    symmetries: Sequence[str] = ()
    shift: float = 0.0


def nearest_clip(context: Floats, frames: int, paths: Floats, moves: Moves, size: tuple[int, int]) -> Floats:
    """Predict the continuation of the most similar path of a collection.

    Args:
        context: ``(N, n, 2)`` px; NaN where there is no object.
        frames: M.
        paths: ``(L, T, 2)`` px, complete paths of other clips, T at least n + M.
        moves: How these may be moved.
        size: Height and width of the picture in pixels.

    Returns:
        ``(N, M, 2)`` px; NaN for an object without any position.
    """
    if not moves.anywhere:
        paths = _variants(paths, moves.symmetries, size)
    later = np.full((len(context), frames, 2), np.nan)
    for row, path in enumerate(context):
        times = np.flatnonzero(shown_in(path))
        if len(times):
            future = slice(len(path), len(path) + frames)
            if moves.anywhere:
                later[row] = _turned(path, times, future, paths)
            else:
                later[row] = _shifted(path, times, future, paths, moves.shift)
    return later


def _variants(paths: Floats, symmetries: Sequence[str], size: tuple[int, int]) -> Floats:
    """Return paths in a picture of a height and width, and all their images under the symmetries."""
    height, width = size
    images: dict[str, Callable[[Floats], Floats]] = {
        "columns": lambda path: np.stack([width - path[..., 0], path[..., 1]], axis=-1),
        "rows": lambda path: np.stack([path[..., 0], height - path[..., 1]], axis=-1),
        "transpose": lambda path: path[..., ::-1],
        "reverse": lambda path: path[:, ::-1],
    }
    for name, image in images.items():
        if name in symmetries and (name != "transpose" or height == width):
            paths = np.concatenate([paths, image(paths)])
    return paths


def _shifted(path: Floats, times: NDArray[np.int64], future: slice, paths: Floats, shift: float) -> Floats:
    """Return how the nearest of the paths goes on; each may be shifted by up to ``shift`` pixels."""
    offset = (path[times] - paths[:, times]).mean(axis=1).clip(-shift, shift)
    distance = np.square(paths[:, times] + offset[:, None] - path[times]).sum(axis=(1, 2))
    best = int(distance.argmin())
    return np.asarray(paths[best, future] + offset[best])


def _turned(path: Floats, times: NDArray[np.int64], future: slice, paths: Floats) -> Floats:
    """Return how the nearest of the paths goes on; each may be mirrored, reversed, rotated and moved anywhere.

    Paths are compared, and the continuation is placed, relative to the last position in the context.
    """
    points, flat = path[:, 0] + 1j * path[:, 1], paths[..., 0] + 1j * paths[..., 1]
    flat = np.concatenate([flat, flat[:, ::-1]])
    flat = np.concatenate([flat, flat.conj()])
    last = points[times[-1]]
    shape, others = points[times] - last, flat[:, times] - flat[:, times[-1:]]
    cross = others.conj() @ shape
    distance = np.square(np.abs(others)).sum(axis=1) - 2 * np.abs(cross)  # after the best rotation
    best = int(distance.argmin())
    later = np.exp(1j * np.angle(cross[best])) * (flat[best, future] - flat[best, times[-1]]) + last
    return np.stack([later.real, later.imag], axis=-1)
