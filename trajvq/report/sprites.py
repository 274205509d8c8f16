"""Clips of the report as pictures: frames from left to right, one row a clip, which the page plays."""

import base64
import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Video = NDArray[np.uint8]


def error_of(target: Video, made: Video) -> Video:
    """Return twice the absolute difference of uint8 clips, as darkness: white is none."""
    difference = np.abs(target.astype(np.int16) - made.astype(np.int16))
    return np.asarray(255 - np.minimum(2 * difference, 255), dtype=np.uint8)


def with_error(clips: Mapping[str, Video]) -> dict[str, Video]:
    """Add ``error`` to clips that are to be like the first, ``target``.

    Args:
        clips: uint8 ``(T, 3, H, W)`` each.
    """
    names = list(clips)
    if names[:1] != ["target"] or len(names) != 2:
        return dict(clips)
    return {**clips, "error": error_of(clips["target"], clips[names[1]])}


def sprite(clips: Mapping[str, Video]) -> str:
    """Return clips uint8 ``(T, 3, H, W)`` as a ``data:`` URL: T frames wide, a row for each clip, without loss."""
    rows = [np.concatenate(list(clip.transpose(0, 2, 3, 1)), axis=1) for clip in clips.values()]
    file = io.BytesIO()
    Image.fromarray(np.concatenate(rows, axis=0)).save(file, format="WEBP", lossless=True, quality=60, method=3)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
