"""Find the objects in every frame from pixels and a background: no ground truth, no learned weights."""

from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from trajvq.io.arrays import Bytes, Floats
from trajvq.io.video import to_uint8
from trajvq.metrics.background import estimate_background

SHARE = 0.3  # of the contrast, and of the area, that makes a component an object
NOISE = 4 / 255  # contrast below which a pixel belongs to the background
NOISE_RATIO = 4.0  # of an object's pixels to the median difference of its clip from the background, at least
HYSTERESIS = 1.5  # of an object's peak to that of its faintest pixels, where there is noise
NOISY_AREA = 3.0  # pixels; less may be noise
IN_FRAME = np.zeros((3, 3, 3), dtype=bool)
IN_FRAME[1] = True  # neighbors within a frame, diagonals included, and none across frames


@dataclass(frozen=True)
class Tracks:
    """The objects of N clips of T frames, at most K in a frame.

    The objects of a frame are ordered by size, the largest first. K is the largest number of any frame, at least 1.

    Attributes:
        pixel: ``(N, T, K, 2)`` intensity-weighted centroids (x, y), pixels; NaN beyond the objects of a frame.
        radius: ``(N, T, K)`` radius of a disc of the object's area, pixels; 0 beyond.
        color: ``(N, T, K, 3)`` color of its strongest pixels in [0, 1]; NaN beyond.
        count: ``(N, T)`` number of objects.
    """

    pixel: Floats
    radius: Floats
    color: Floats
    count: NDArray[np.int64]

    def widened(self, objects: int) -> "Tracks":
        """Return the same tracks with ``objects`` entries a frame, at least K."""
        more = ((0, 0), (0, 0), (0, objects - self.pixel.shape[2]))
        return Tracks(
            pixel=np.pad(self.pixel, (*more, (0, 0)), constant_values=np.nan),
            radius=np.pad(self.radius, more),
            color=np.pad(self.color, (*more, (0, 0)), constant_values=np.nan),
            count=self.count,
        )


@runtime_checkable
class Tracker(Protocol):
    """A callable that finds the objects of every frame.

    Attributes:
        version: Identifies the tracker and its settings. Cached tracks are recomputed when it changes.
    """

    version: str

    def __call__(
        self, video: Bytes, background: Bytes, contrast: Floats | None = None, area: Floats | None = None
    ) -> Tracks:
        """Track the objects of every frame.

        Args:
            video: uint8 ``(N, T, 3, H, W)``.
            background: uint8, broadcastable to ``(N, 1, 3, H, W)``.
            contrast: ``(N, K)`` contrasts of the true objects in [0, 1], as `contrast_of` measures them; NaN where a
                clip has fewer; None if unknown.
            area: ``(N, T, K)`` areas of the true objects in pixels; NaN or 0 where there is none; None if unknown.
        """


def contrast_of(video: Bytes, background: Bytes) -> NDArray[np.float32]:
    """Return ``(N, T, H, W)`` mean absolute differences from the background in [0, 1].

    Args:
        video: uint8 ``(N, T, 3, H, W)``.
        background: uint8, broadcastable to ``(N, 1, 3, H, W)``.
    """
    difference = np.abs(video.astype(np.int16) - background.astype(np.int16))
    return np.asarray(difference.sum(axis=2, dtype=np.int32) / (3 * 255), dtype=np.float32)


class Found(NamedTuple):
    """What stands out in N clips of T frames.

    Attributes:
        tracks: The objects, K in a frame.
        labels: int32 ``(N, T, H, W)``: 1 + number of the object, of the K of its frame, that a pixel belongs to; 0 for
            none.
        peak: ``(N, T, K)`` highest contrast of each object in [0, 1]; NaN where there is none.
    """

    tracks: Tracks
    labels: NDArray[np.int32]
    peak: Floats


class DiscTracker:
    """Track connected components that stand out from the background; see `find_objects`."""

    version = "2"

    def __call__(
        self, video: Bytes, background: Bytes, contrast: Floats | None = None, area: Floats | None = None
    ) -> Tracks:
        """Track the objects of every frame; see `Tracker`."""
        return find_objects(video, background, contrast, area).tracks


def find_objects(video: Bytes, background: Bytes, contrast: Floats | None = None, area: Floats | None = None) -> Found:
    """Find the connected components that stand out from the background.

    The pixels of an object have at least 30 % of the lowest true contrast of the clip, and it covers at least 30 % of
    the smallest true area of the frame. Without true contrasts, 30 % of the clip's own are used, or 4 times the median
    difference from the background if that is more; then an object's peak must also be clear of noise, and it covers at
    least 3 pixels where there is any noise.

    Args:
        video: uint8 ``(N, T, 3, H, W)``.
        background: See `Tracker`, as for the next two.
        contrast: Of true objects.
        area: Of true objects.
    """
    count, frames, _, height, width = video.shape
    difference = contrast_of(video, background)
    own = np.median(difference.max(axis=(2, 3)), axis=1)
    noise = np.median(difference[..., ::2, ::2], axis=(1, 2, 3)) if contrast is None else np.zeros(count)
    lowest = own if contrast is None else positive_minimum(contrast, own)
    threshold = np.maximum(np.maximum(SHARE * lowest, NOISE), NOISE_RATIO * noise)
    clear = np.maximum(threshold, HYSTERESIS * NOISE_RATIO * noise)
    least = np.repeat(np.where(noise > 0, NOISY_AREA, 1.0), frames)
    if area is not None:
        least = np.maximum(SHARE * positive_minimum(area, np.zeros(())), 1.0).reshape(-1)
    stack = difference.reshape(-1, height, width)
    objects = _find_objects(stack, np.repeat(threshold, frames), np.repeat(clear, frames), least)
    measured = _measure(stack, video.reshape(-1, 3, height, width), objects)
    number = np.bincount(objects.frame, minlength=count * frames)
    rank = np.arange(len(objects.frame)) - (np.cumsum(number) - number)[objects.frame]
    most = max(int(number.max(initial=0)), 1)

    def by_frame(values: Floats, missing: float) -> Floats:
        result = np.full((count * frames, most, *values.shape[1:]), missing)
        result[objects.frame, rank] = values
        return result.reshape(count, frames, most, *values.shape[1:])

    pixel, radius, color = measured
    tracks = Tracks(
        by_frame(pixel, np.nan), by_frame(radius, 0.0), by_frame(color, np.nan), number.reshape(count, frames)
    )
    labels = np.concatenate([[0], 1 + rank]).astype(np.int32)[objects.labels]
    return Found(tracks, labels.reshape(count, frames, height, width), by_frame(objects.peak, np.nan))


def positive_minimum(values: Floats, default: Floats) -> Floats:
    """Return the lowest positive value along the last axis; a default where there is none."""
    lowest = np.where(values > 0, values, np.inf).min(axis=-1, initial=np.inf)  # NaN is not positive
    return np.where(np.isfinite(lowest), lowest, default)


class _Objects(NamedTuple):
    """The M objects of a stack of F frames, ordered by frame and within a frame by size, the largest first.

    Attributes:
        labels: ``(F, H, W)`` number of the object that a pixel belongs to, from 1 on; 0 for none.
        peak: ``(M,)`` its highest contrast.
        frame: ``(M,)`` its frame.
    """

    labels: NDArray[np.int32]
    peak: Floats
    frame: NDArray[np.int64]


def _find_objects(stack: NDArray[np.float32], threshold: Floats, clear: Floats, least: Floats) -> _Objects:
    """Find the objects of F frames.

    Args:
        stack: ``(F, H, W)`` contrast.
        threshold: ``(F,)`` lowest contrast of an object's pixels.
        clear: ``(F,)`` lowest peak of an object.
        least: ``(F,)`` fewest pixels of an object.
    """
    labels, components = ndimage.label(stack >= threshold[:, None, None], IN_FRAME)
    foreground = np.flatnonzero(labels)
    component = labels.flat[foreground]
    sizes = np.bincount(component, minlength=components + 1)
    peaks = np.zeros(components + 1)
    np.maximum.at(peaks, component, stack.flat[foreground])
    frame_of = np.zeros(components + 1, dtype=np.int64)
    frame_of[component] = foreground // (stack.shape[1] * stack.shape[2])
    frames = frame_of[1:]
    objects = 1 + np.flatnonzero((sizes[1:] >= least[frames]) & (peaks[1:] >= clear[frames]))
    objects = objects[np.lexsort((-sizes[objects], frame_of[objects]))]
    number = np.zeros(components + 1, dtype=np.int32)
    number[objects] = 1 + np.arange(len(objects))
    labels.flat[foreground] = number[component]
    return _Objects(labels, peaks[objects], frame_of[objects])


def _measure(stack: NDArray[np.float32], pictures: Bytes, objects: _Objects) -> tuple[Floats, Floats, Floats]:
    """Return centroid ``(M, 2)``, radius ``(M,)`` and color ``(M, 3)`` of the objects; see `Tracks`."""
    # The neighboring pixels hold the faint edge of the object.
    wider = np.where(objects.labels > 0, objects.labels, ndimage.maximum_filter(objects.labels, (1, 3, 3)))
    frame, row, column = np.nonzero(wider)
    member, total = wider[frame, row, column] - 1, len(objects.peak)
    weight = stack[frame, row, column].astype(np.float64)
    mass = np.bincount(member, weight, total)
    x = np.bincount(member, weight * (column + 0.5), total) / mass
    y = np.bincount(member, weight * (row + 0.5), total) / mass
    radius = np.sqrt(mass / objects.peak / np.pi)
    strong = stack[frame, row, column] >= 0.9 * objects.peak[member]
    frame, row, column, member = (part[strong] for part in (frame, row, column, member))
    colors = pictures[frame, :, row, column] / 255.0
    summed = np.stack([np.bincount(member, colors[:, c], total) for c in range(3)], axis=-1)
    return np.stack([x, y], axis=-1), radius, summed / np.bincount(member, minlength=total)[:, None]


track: Tracker = DiscTracker()  # the default tracker; scoreboards always use it, so that their figures compare


def track_clips(video: Tensor, tracker: Tracker = track) -> Tracks:
    """Track clips without ground truth, against a background estimated from the clips themselves.

    Args:
        video: float ``(N, 3, T, H, W)``, clipped to [0, 1].
        tracker: The tracker.
    """
    video = video.clamp(0, 1)
    return tracker(to_uint8(video), to_uint8(estimate_background(video)))


def join_tracks(parts: list[Tracks]) -> Tracks:
    """Return the tracks of several batches of clips as one, with as many objects a frame as the largest batch."""
    most = max(part.pixel.shape[2] for part in parts)
    wide = [part.widened(most) for part in parts]
    return Tracks(*(np.concatenate([getattr(part, field.name) for part in wide]) for field in fields(Tracks)))
