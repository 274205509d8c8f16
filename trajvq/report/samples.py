"""Samples as pictures: each clip as the trail of its object, many on a sheet, and all moving."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from trajvq.io.arrays import Bytes
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.background import estimate_background

FAINT = 0.25  # of its contrast that the object has in the first frame of a trail; in the last all
GAP, LINE, TITLE = 2, (205, 205, 205), 14
MILLISECONDS = 90  # a frame of an animation


def trails(video: Bytes) -> Bytes:
    """Draw clips uint8 ``(N, T, 3, H, W)`` as one picture each, uint8 ``(N, 3, H, W)``: earlier is fainter."""
    ground = to_uint8(estimate_background(to_float(torch.from_numpy(video)))).astype(np.float32)
    strength = np.linspace(FAINT, 1, video.shape[1], dtype=np.float32)[:, None, None, None]
    change = (video.astype(np.float32) - ground) * strength
    most = np.abs(change).sum(axis=2, keepdims=True).argmax(axis=1)[:, None]
    made = ground[:, 0] + np.take_along_axis(change, most, axis=1)[:, 0]
    return np.asarray(made.round().clip(0, 255), dtype=np.uint8)


def grid(pictures: Bytes, columns: int) -> Bytes:
    """Lay out pictures uint8 ``(N, 3, H, W)`` row by row; returns uint8 ``(height, width, 3)``."""
    count, _, height, width = pictures.shape
    rows = -(-count // columns)
    sheet = np.empty((rows * (height + GAP), columns * (width + GAP), 3), dtype=np.uint8)
    sheet[:] = LINE
    for number, picture in enumerate(pictures):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = picture.transpose(1, 2, 0)
    return sheet


def titled(picture: Bytes, text: str) -> Bytes:
    """Write a line above a picture uint8 ``(height, width, 3)``."""
    title = Image.new("RGB", (picture.shape[1], TITLE), (255, 255, 255))
    ImageDraw.Draw(title).text((2, 1), text, fill=(0, 0, 0))
    return np.concatenate([np.asarray(title), picture], axis=0)


def sample_sheet(video: dict[str, Bytes], columns: int = 8) -> Bytes:
    """Draw the clips of every class, uint8 ``(N, T, 3, H, W)``, as trails under the class's name."""
    return np.concatenate([titled(grid(trails(clips), columns), name) for name, clips in video.items()], axis=0)


def save_animation(video: Bytes, path: Path, columns: int = 8) -> None:
    """Write clips uint8 ``(N, T, 3, H, W)`` side by side as an endless GIF or WebP, by the path's suffix."""
    frames = [Image.fromarray(grid(video[:, moment], columns)) for moment in range(video.shape[1])]
    path.parent.mkdir(parents=True, exist_ok=True)
    rest = frames[1:]
    frames[0].save(path, save_all=True, append_images=rest, duration=MILLISECONDS, loop=0, lossless=True)
