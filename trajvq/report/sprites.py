"""Sprites: clips as one picture that the page plays, frames from left to right, one row per clip."""

import base64
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from trajvq.io.arrays import Bytes


def error_video(target: Bytes, reconstruction: Bytes) -> Bytes:
    """Return twice the absolute difference of uint8 clips as darkness: white is no error."""
    difference = np.abs(target.astype(np.int16) - reconstruction.astype(np.int16))
    return np.asarray(255 - np.minimum(2 * difference, 255), dtype=np.uint8)


def with_error(clips: Mapping[str, Bytes]) -> dict[str, Bytes]:
    """Add ``error`` where there are two clips and the first is ``target``.

    Args:
        clips: uint8 ``(T, 3, H, W)`` by name.
    """
    names = list(clips)
    if names[:1] != ["target"] or len(names) != 2:
        return dict(clips)
    return {**clips, "error": error_video(clips["target"], clips[names[1]])}


def render_sprite(clips: Mapping[str, Bytes]) -> str:
    """Return clips uint8 ``(T, 3, H, W)`` as a lossless ``data:`` URL: T frames wide, one row per clip."""
    rows = [np.concatenate(list(clip.transpose(0, 2, 3, 1)), axis=1) for clip in clips.values()]
    file = io.BytesIO()
    Image.fromarray(np.concatenate(rows, axis=0)).save(file, format="WEBP", lossless=True, quality=60, method=3)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
