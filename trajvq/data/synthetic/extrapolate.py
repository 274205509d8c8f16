"""Where objects go after a clip's last frame: the equation of its path, seen by its camera."""

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import read_column
from trajvq.data.synthetic.camera import project
from trajvq.data.synthetic.motion import FAMILIES
from trajvq.io.arrays import Floats


def continued_paths(clips: Clips, rows: NDArray[np.int64], frames: int) -> Floats | None:
    """Return the true places of some clips in more frames than they have.

    Args:
        clips: A split.
        rows: ``(N,)`` clips.
        frames: From the first on.

    Returns:
        ``(N, frames, 2)`` px, NaN once the centre has left the picture; None if the split holds no equations.
    """
    columns = {name: read_column(clips.folder, clips.manifest, clips.split, name) for name in ("params", "camera")}
    known = {motion.name: motion for motion in FAMILIES}
    label = clips.columns.get("label")
    if label is None or any(column is None for column in columns.values()):
        return None
    if any(name not in known for name in clips.manifest.classes):
        return None
    params, camera = (np.asarray(column, dtype=np.float64)[rows] for column in columns.values())
    time = np.arange(frames) / (clips.manifest.frames - 1)
    made = np.empty((len(rows), frames, 2))
    for number, name in enumerate(clips.manifest.classes):
        mine = np.flatnonzero(label.numpy()[rows] == number)
        motion = known[name]
        own = params[mine][:, : len(motion.parameters())]
        made[mine] = project(motion.position(own, time), camera[mine])[0]
    inside = ((made >= 0) & (made <= [clips.manifest.width, clips.manifest.height])).all(axis=-1)
    gone = np.maximum.accumulate(~inside, axis=1)
    return np.where(gone[..., None], np.nan, made)
