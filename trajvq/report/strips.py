"""Strips: a clip, its reconstruction and the error, frame below frame."""

from pathlib import Path

import numpy as np
from PIL import Image

from trajvq.io.arrays import Bytes
from trajvq.report.sprites import error_video

GAP = 2  # pixels between frames, before enlargement
GREY, DARK = 200, 90


def render_strip(target: Bytes, reconstruction: Bytes, scale: int = 2) -> Bytes:
    """Render a clip above its reconstruction and twice the error, frames from left to right.

    Args:
        target: uint8 ``(T, 3, H, W)``.
        reconstruction: uint8 ``(T, 3, H, W)``.
        scale: Integer enlargement.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    _, _, height, width = target.shape
    lines = []
    for clip in (target, reconstruction, error_video(target, reconstruction)):
        cells = np.full((len(clip), height + GAP, width + GAP, 3), GREY, dtype=np.uint8)
        cells[:, :height, :width] = clip.transpose(0, 2, 3, 1)
        lines.append(np.concatenate(list(cells), axis=1))
    picture = np.concatenate(lines, axis=0)
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def render_sheet(targets: Bytes, reconstructions: Bytes, scale: int = 2) -> Bytes:
    """Render the strips of N clips, one below the other.

    Args:
        targets: uint8 ``(N, T, 3, H, W)``.
        reconstructions: The same shape.
        scale: Integer enlargement.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    strips = [render_strip(*pair, scale) for pair in zip(targets, reconstructions, strict=True)]
    bar = np.full((3 * scale, strips[0].shape[1], 3), DARK, dtype=np.uint8)
    parts = [part for picture in strips for part in (picture, bar)][:-1]
    return np.concatenate(parts, axis=0)


def save_gif(targets: Bytes, reconstructions: Bytes, path: Path, scale: int = 3, duration: int = 120) -> None:
    """Write N clips as an animation, each above its reconstruction and the error.

    Args:
        targets: uint8 ``(N, T, 3, H, W)``.
        reconstructions: The same shape.
        path: GIF to write. Missing folders are created.
        scale: Integer enlargement.
        duration: Milliseconds per frame.
    """
    frames = [render_strip(targets[:, k], reconstructions[:, k], scale) for k in range(targets.shape[1])]
    path.parent.mkdir(parents=True, exist_ok=True)
    # The default colors are the most common ones, which turns small objects grey.
    pictures = [Image.fromarray(frame).quantize(256, method=Image.Quantize.MAXCOVERAGE) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration, loop=0)
