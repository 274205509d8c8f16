"""Sprites: clips as one picture that the page plays, frames from left to right and in bands one below another."""

import base64
import io
import math
from collections.abc import Mapping

import numpy as np
from PIL import Image

from trajvq.io.arrays import Bytes

MOST = 16_383  # px, the longest side of a WebP


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


def columns_of(clips: Mapping[str, Bytes]) -> int:
    """Return the frames side by side in the sprite of clips uint8 ``(T, 3, H, W)``; 0 where no picture holds them."""
    frames, _, height, width = next(iter(clips.values())).shape
    columns = min(frames, MOST // width)
    return columns if columns and math.ceil(frames / columns) * len(clips) * height <= MOST else 0


def render_sprite(clips: Mapping[str, Bytes]) -> str:
    """Return clips as a lossless ``data:`` URL: a band of `columns_of` frames, one row per clip, then the next band.

    Args:
        clips: uint8 ``(T, 3, H, W)`` by name, for which `columns_of` is not 0.
    """
    columns = columns_of(clips)
    videos = np.stack([clip.transpose(0, 2, 3, 1) for clip in clips.values()])  # (R, T, H, W, 3)
    rows, frames, height, width, _ = videos.shape
    bands = math.ceil(frames / columns)
    videos = np.pad(videos, ((0, 0), (0, bands * columns - frames), (0, 0), (0, 0), (0, 0)))
    picture = videos.reshape(rows, bands, columns, height, width, 3).transpose(1, 0, 3, 2, 4, 5)
    file = io.BytesIO()
    Image.fromarray(picture.reshape(bands * rows * height, columns * width, 3)).save(
        file, format="WEBP", lossless=True, quality=60, method=3
    )
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
