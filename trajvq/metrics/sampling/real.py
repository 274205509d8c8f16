"""The objects of real clips, with their truth: stored, or tracked in the clips where nothing is stored.

N clips of T frames, at most K objects in a clip, M objects in all.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.clips import Clips
from trajvq.io.arrays import Floats, shown_in, visible_in
from trajvq.io.video import to_float
from trajvq.metrics.matching import link
from trajvq.metrics.sampling.objects import Objects, excused, flat, objects_to_see
from trajvq.metrics.tracking import Tracks, join_tracks, track_clips

BATCH = 50
UNJUDGED = "no object of val can be seen in half of the frames of its clip, so none can be judged"
SHARE = 0.99  # of the clips of a split without truth, which have no more, and no fewer, objects than samples may have


@dataclass(frozen=True)
class RealObjects:
    """The objects of a split.

    Attributes:
        objects: M objects as they are tracked in the decoded clips, in the order of the truth.
        paths: ``(M, T, 2)`` true positions, px.
        radius: ``(M, T)`` true radii, px.
        color: ``(M, T, 3)`` true colors in [0, 1].
        least: Smallest number of objects of a clip, at least 1.
        most: The largest.
    """

    objects: Objects
    paths: Floats
    radius: Floats
    color: Floats
    least: int
    most: int

    @property
    def judged(self) -> bool:
        """Whether there are any objects, so that those of samples can be judged by them."""
        return len(self.objects.clip) > 0


def real_objects(clips: Clips, tracks: Tracks) -> RealObjects:
    """Return the objects of a split.

    Args:
        clips: The split.
        tracks: Of its N clips after decoding.
    """
    pixel, radius, color, valid = _stored(clips) if "pixel" in clips.columns else _tracked(clips)
    number = objects_to_see(valid).sum(axis=1)
    least, most = min(number.tolist(), default=1), int(valid.any(axis=1).sum(axis=1).max(initial=1))
    if "pixel" not in clips.columns:
        together = np.median(valid.sum(axis=2), axis=1)  # objects that are seen one after the other may be one
        least = int(np.quantile(number, 1 - SHARE, method="higher"))
        most = max(int(np.quantile(together, SHARE, method="lower")), 1)
    least = min(max(least, 1), most)
    objects = Objects.of_real(tracks, pixel, valid)
    return RealObjects(objects, flat(pixel, valid), flat(radius, valid), flat(color, valid), least, most)


def _stored(clips: Clips) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Return positions ``(N, T, K, 2)``, radii, colors, and where objects can be seen ``(N, T, K)``."""
    columns = {name: column.numpy() for name, column in clips.columns.items()}
    pixel = columns["pixel"].astype(float)
    valid = visible_in(pixel, columns.get("occluded"))
    radius, color = np.full(valid.shape, np.nan), np.full((*valid.shape, 3), np.nan)
    if "radius" in columns:
        radius[...] = columns["radius"]
    if "color" in columns:
        color[...] = columns["color"][:, None] / 255
    return pixel, radius, color, valid


def _tracked(clips: Clips) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Return the same of the objects that the tracker finds in the clips."""
    tracks = link(join_tracks([track_clips(to_float(batch["video"])) for batch in clips.loader(BATCH)]))
    valid = shown_in(tracks.pixel) & ~excused(tracks.pixel, tracks.radius, clips.shape[2:])
    return tracks.pixel, tracks.radius, tracks.color, valid
