"""Strips: a clip and its reconstruction, frame under frame."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GAP = 2  # pixels between frames, before enlargement
GREY, DARK = 200, 90


def strip(target: NDArray[np.uint8], made: NDArray[np.uint8], scale: int = 2) -> NDArray[np.uint8]:
    """Draw one clip above its reconstruction and the enlarged error, frames from left to right.

    Args:
        target: uint8 ``(T, 3, H, W)``.
        made: uint8 ``(T, 3, H, W)``.
        scale: Whole enlargement.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    error = np.abs(target.astype(np.int16) - made.astype(np.int16))
    rows = [target, made, (255 - np.minimum(2 * error, 255)).astype(np.uint8)]
    _, _, height, width = target.shape
    lines = []
    for clip in rows:
        cells = np.full((len(clip), height + GAP, width + GAP, 3), GREY, dtype=np.uint8)
        cells[:, :height, :width] = clip.transpose(0, 2, 3, 1)
        lines.append(np.concatenate(list(cells), axis=1))
    picture = np.concatenate(lines, axis=0)
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def sheet(targets: NDArray[np.uint8], made: NDArray[np.uint8], scale: int = 2) -> NDArray[np.uint8]:
    """Stack the strips of N clips, each uint8 ``(N, T, 3, H, W)``; returns uint8 ``(height, width, 3)``."""
    strips = [strip(target, clip, scale) for target, clip in zip(targets, made, strict=True)]
    bar = np.full((3 * scale, strips[0].shape[1], 3), DARK, dtype=np.uint8)
    parts = [part for picture in strips for part in (picture, bar)][:-1]
    return np.concatenate(parts, axis=0)


def save_gif(targets: NDArray[np.uint8], made: NDArray[np.uint8], path: Path, scale: int = 3, pause: int = 120) -> None:
    """Write N clips as an animation, each above its reconstruction and the error.

    Args:
        targets: uint8 ``(N, T, 3, H, W)``.
        made: The same shape.
        path: Where it goes; the folder is made.
        scale: Whole enlargement.
        pause: Milliseconds a frame.
    """
    frames = [strip(targets[:, k], made[:, k], scale) for k in range(targets.shape[1])]
    path.parent.mkdir(parents=True, exist_ok=True)
    # The default palette, of what is common, turns small objects grey.
    pictures = [Image.fromarray(frame).quantize(256, method=Image.Quantize.MAXCOVERAGE) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=pause, loop=0)


def save_png(picture: NDArray[np.uint8], path: Path) -> None:
    """Write uint8 ``(height, width, 3)`` as PNG, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
