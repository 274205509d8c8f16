"""Extrapolate the true paths of clips: the equation of each path, projected by its camera."""

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import read_column
from trajvq.data.synthetic.camera import project
from trajvq.data.synthetic.motion import FAMILIES
from trajvq.io.arrays import Floats


def extrapolate_paths(clips: Clips, rows: NDArray[np.int64], frames: int) -> Floats | None:
    """Return the true positions of some clips in any number of frames.

    Args:
        clips: A split.
        rows: ``(N,)`` numbers of clips.
        frames: Number of frames, counted from the first.

    Returns:
        ``(N, frames, K, 2)`` px; NaN where the center is outside the picture, and where a clip has fewer objects. An
        object that is outside in the clip's last frame or leaves the picture after it is NaN from there on. None if the
        split has no labels, equations or cameras, or if one of its classes is no registered motion family.
    """
    columns = {name: read_column(clips.folder, clips.manifest, clips.split, name) for name in ("params", "camera")}
    families = {motion.name: motion for motion in FAMILIES}
    label = clips.columns.get("label")
    if label is None or any(column is None for column in columns.values()):
        return None
    if any(name not in families for name in clips.manifest.classes):
        return None
    params, camera = (np.asarray(column, dtype=np.float64)[rows] for column in columns.values())
    count, objects = params.shape[:2]
    params, camera = params.reshape(count * objects, -1), camera.repeat(objects, axis=0)
    time = np.arange(frames) / (clips.manifest.frames - 1)
    path, family = np.empty((len(params), frames, 2)), label.numpy()[rows].repeat(objects)
    for number, name in enumerate(clips.manifest.classes):
        own = np.flatnonzero(family == number)
        motion = families[name]
        path[own] = project(motion.position(params[own][:, : len(motion.parameters())], time), camera[own])[0]
    inside = ((path >= 0) & (path <= [clips.manifest.width, clips.manifest.height])).all(axis=-1)
    outside, last = np.asarray(~inside), clips.manifest.frames - 1
    outside[:, last:] = np.maximum.accumulate(outside[:, last:], axis=1)  # objects may enter the picture in the clip
    path = np.where(outside[..., None], np.nan, path)
    return path.reshape(count, objects, frames, 2).swapaxes(1, 2)
