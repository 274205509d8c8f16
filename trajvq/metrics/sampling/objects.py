"""The objects of clips, each with a path of its own: of real clips in the order of the truth, of samples as linked.

N clips of T frames, at most K objects in a clip, M objects in all.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats, shown_in
from trajvq.metrics.family_fits import NEEDED
from trajvq.metrics.matching import link, match
from trajvq.metrics.tracking import Tracks

BRIEF = 1 / 4  # share of the frames; an object that is seen for less is a part of another
ENOUGH = 1 / 2  # share of the frames in which an object can be seen, so that its motion can be judged
NEAR = 2.0  # px between the outlines of two objects at which one may hide the other
DRIFT = 1.0  # px a frame by which an object may leave the line on which it is expected, before or after it is shown
EDGE = 1.0  # px between an outline and the edge of the picture at which it may be cut off


@dataclass(frozen=True)
class Objects:
    """M objects of N clips, clip by clip.

    Attributes:
        pixel: ``(M, T, 2)`` px; NaN in frames that do not show the object, or show objects that are too many.
        radius: ``(M, T)`` px.
        color: ``(M, T, 3)`` in [0, 1]; NaN like ``pixel``.
        valid: ``(M, T)`` frames in which the object can be seen, so that one without it is an error.
        clip: ``(M,)`` number of its clip.
    """

    pixel: Floats
    radius: Floats
    color: Floats
    valid: NDArray[np.bool_]
    clip: NDArray[np.int64]

    @classmethod
    def of_samples(cls, tracks: Tracks, most: int, size: tuple[int, int], strict: bool = True) -> "Objects":
        """Return the objects of clips without truth. Every clip has at least one, if only one that is never seen.

        Args:
            tracks: Of N clips.
            most: Largest number of objects of a real clip.
            size: Height and width of the picture in pixels.
            strict: Frames with more objects show none that counts; otherwise, as in the search for copies, they do.
        """
        few = ((tracks.count <= most) | (not strict))[..., None]
        linked = tracks if most == 1 else link(tracks)
        pixel = np.where(few[..., None], linked.pixel, np.nan)
        present = shown_in(pixel)  # (N, T, K)
        valid = np.ones_like(present) if most == 1 else ~excused(pixel, linked.radius, size)
        kept = (present.mean(axis=1) >= BRIEF) & objects_to_see(valid) & (np.arange(pixel.shape[2]) < most)
        kept[:, 0] |= ~kept.any(axis=1)
        color = np.where(present[..., None], linked.color, np.nan)
        return cls._flat(pixel, linked.radius, color, valid, kept)

    @classmethod
    def of_real(cls, tracks: Tracks, truth: Floats, valid: NDArray[np.bool_]) -> "Objects":
        """Return the objects of clips with truth, in its order, without those that are never or hardly to be seen.

        Args:
            tracks: Of N clips.
            truth: ``(N, T, K, 2)`` true positions, px; NaN where there is no object.
            valid: ``(N, T, K)`` frames in which the object can be seen.
        """
        matches = match(tracks, truth)
        clear = (matches.surplus == 0)[..., None, None]
        pixel = np.where(clear, matches.tracks.pixel, np.nan)
        color = np.where(clear, matches.tracks.color, np.nan)
        return cls._flat(pixel, matches.tracks.radius, color, valid, objects_to_see(valid))

    @classmethod
    def _flat(
        cls, pixel: Floats, radius: Floats, color: Floats, valid: NDArray[np.bool_], kept: NDArray[np.bool_]
    ) -> "Objects":
        """Return the objects ``kept`` ``(N, K)`` of arrays ``(N, T, K, ...)``."""
        clip, number = np.nonzero(kept)
        return cls(
            pixel=pixel[clip, :, number],
            radius=radius[clip, :, number],
            color=color[clip, :, number],
            valid=valid[clip, :, number],
            clip=clip,
        )

    def complete(self) -> NDArray[np.bool_]:
        """Return ``(M,)``: whether 13 of 16 frames in which an object can be seen show it, as the judge demands."""
        count = (shown_in(self.pixel) & self.valid).sum(axis=1)
        return np.asarray((count >= NEEDED * self.valid.sum(axis=1)) & (count > 0))

    def hidden(self, clips: int) -> NDArray[np.int64]:
        """Return ``(N, T)``: how many objects each frame of N clips does not show and need not show."""
        number = np.zeros((clips, self.valid.shape[1]), dtype=np.int64)
        np.add.at(number, self.clip, ~shown_in(self.pixel) & ~self.valid)
        return number


def without_gaps(paths: Floats, size: tuple[int, int]) -> Floats:
    """Return paths ``(M, T, 2)`` px with missing positions (NaN) on straight lines between those that there are.

    Before the first and after the last position the object rests. A path without positions rests in the middle of the
    picture, whose height and width are ``size`` px.
    """
    filled, frames = paths.copy(), np.arange(paths.shape[1])
    present = shown_in(paths)
    filled[~present.any(axis=1)] = size[1] / 2, size[0] / 2
    for row in np.flatnonzero(present.any(axis=1) & ~present.all(axis=1)):
        there = present[row]
        for axis in range(2):
            filled[row, :, axis] = np.interp(frames, frames[there], paths[row, there, axis])
    return filled


def objects_to_see(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return ``(N, K)``: which objects can be seen in enough frames ``(N, T, K)``."""
    return np.asarray(valid.mean(axis=1) >= ENOUGH)


def flat(values: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Return ``(N, T, K, ...)`` as ``(M, T, ...)``, for the objects of `Objects.of_real`."""
    clip, number = np.nonzero(objects_to_see(valid))
    return np.asarray(values[clip, :, number])


def excused(pixel: Floats, radius: Floats, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return ``(N, T, K)``: frames in which an object cannot be seen alone, or as a whole.

    It touches the edge of the picture, or is expected to be beyond it; or it touches another object: one of the two is
    then missing. A missing object is expected on the line between its positions before and after, and before the first
    and after the last one where its speed there takes it.

    Args:
        pixel: ``(N, T, K, 2)`` px, of objects that are linked over time; NaN where they are not shown.
        radius: ``(N, T, K)`` px.
        size: Height and width of the picture in pixels.
    """
    excused = np.zeros(pixel.shape[:-1], dtype=bool)
    edge, present = np.array([size[1], size[0]]), shown_in(pixel)
    for clip, number in zip(*np.nonzero(present.any(axis=1)), strict=True):
        appears = np.flatnonzero(present[clip, :, number])
        own = float(np.median(radius[clip, appears, number]))
        line, away = _expected(pixel[clip, :, number], appears)
        margin = np.minimum(line, edge - line).min(axis=1)
        excused[clip, :, number] |= margin <= own + EDGE
        gap = np.linalg.norm(pixel[clip] - line[:, None], axis=-1) - radius[clip] - own  # (T, K) to other objects
        near = np.nan_to_num(gap, nan=np.inf) <= (NEAR + DRIFT * away)[:, None]
        touching = ~present[clip, :, number, None] & near
        excused[clip] |= touching
        excused[clip, :, number] |= touching.any(axis=1)
    return excused


def _expected(path: Floats, appears: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return where an object ``(T, 2)`` is expected, and how many frames before or after it was shown ``(T,)``."""
    frames = np.arange(len(path))
    line = np.stack([np.interp(frames, appears, path[appears, axis]) for axis in range(2)], axis=-1)
    away = np.maximum(np.maximum(appears[0] - frames, frames - appears[-1]), 0)
    if len(appears) > 1:
        start = (path[appears[1]] - path[appears[0]]) / (appears[1] - appears[0])
        end = (path[appears[-1]] - path[appears[-2]]) / (appears[-1] - appears[-2])
        line += np.where(frames < appears[0], -away, 0)[:, None] * start
        line += np.where(frames > appears[-1], away, 0)[:, None] * end
    return line, away.astype(float)
