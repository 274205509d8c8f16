"""Pictures of samples: each clip as the trail of its object, many on a sheet, and an animation of all."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from trajvq.io.arrays import Bytes
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.background import estimate_background
from trajvq.report.pictures import add_title

FAINT = 0.25  # share of the object's contrast in the first frame of a trail; in the last frame it is 1
GAP, GAP_COLOR = 2, (205, 205, 205)
MILLISECONDS = 90  # per frame of an animation
COLUMNS = 8  # pictures side by side


def render_trails(video: Bytes) -> Bytes:
    """Render each of N clips as one picture in which earlier frames are fainter.

    Args:
        video: uint8 ``(N, T, 3, H, W)``.

    Returns:
        uint8 ``(N, 3, H, W)``.
    """
    background = to_uint8(estimate_background(to_float(torch.from_numpy(video)))).astype(np.float32)
    strength = np.linspace(FAINT, 1, video.shape[1], dtype=np.float32)[:, None, None, None]
    change = (video.astype(np.float32) - background) * strength
    strongest = np.abs(change).sum(axis=2, keepdims=True).argmax(axis=1)[:, None]
    trails = background[:, 0] + np.take_along_axis(change, strongest, axis=1)[:, 0]
    return np.asarray(trails.round().clip(0, 255), dtype=np.uint8)


def render_grid(pictures: Bytes) -> Bytes:
    """Arrange pictures uint8 ``(N, 3, H, W)`` row by row; returns uint8 ``(height, width, 3)``."""
    count, _, height, width = pictures.shape
    rows = -(-count // COLUMNS)
    sheet = np.empty((rows * (height + GAP), COLUMNS * (width + GAP), 3), dtype=np.uint8)
    sheet[:] = GAP_COLOR
    for number, picture in enumerate(pictures):
        top, left = number // COLUMNS * (height + GAP), number % COLUMNS * (width + GAP)
        sheet[top : top + height, left : left + width] = picture.transpose(1, 2, 0)
    return sheet


def render_samples(clips: dict[str, Bytes]) -> Bytes:
    """Render the clips of every class as trails below the name of the class.

    Args:
        clips: uint8 ``(N, T, 3, H, W)`` by name of the class.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    grids = {name: render_grid(render_trails(video)) for name, video in clips.items()}
    return np.concatenate([add_title(grid, name) for name, grid in grids.items()], axis=0)


def save_animation(video: Bytes, path: Path) -> None:
    """Write clips uint8 ``(N, T, 3, H, W)`` side by side as an endless GIF or WebP, by the path's suffix."""
    first, *others = [Image.fromarray(render_grid(video[:, frame])) for frame in range(video.shape[1])]
    path.parent.mkdir(parents=True, exist_ok=True)
    first.save(path, save_all=True, append_images=others, duration=MILLISECONDS, loop=0, lossless=True)
