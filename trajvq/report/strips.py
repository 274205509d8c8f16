"""Strips: a clip, its reconstruction and the error, frame below frame."""

from pathlib import Path

import numpy as np
from PIL import Image

from trajvq.io.arrays import Bytes
from trajvq.report.pictures import add_title
from trajvq.report.sprites import error_video

GAP = 2  # pixels between frames, before enlargement
GREY, DARK = 200, 90
FAINT = 96  # levels between the darkest and the brightest pixel below which a clip is hard to see
MILLISECONDS = 120  # per frame of an animation
LEAST_RANGE = 16  # levels that are stretched at most to all 256


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


def shown_range(target: Bytes) -> tuple[int, int]:
    """Return the levels to show as black and white: those of a clip if it is faint, otherwise 0 and 255.

    Args:
        target: uint8 ``(T, 3, H, W)``.
    """
    low, high = int(target.min()), int(target.max())
    if high - low >= FAINT:
        return 0, 255
    low = min(low, 255 - LEAST_RANGE)
    return low, max(high, low + LEAST_RANGE)


def _stretch(clip: Bytes, levels: tuple[int, int]) -> Bytes:
    low, high = levels
    return np.rint((clip.astype(np.float32) - low).clip(0, high - low) * (255 / (high - low))).astype(np.uint8)


def render_sheet(targets: Bytes, reconstructions: Bytes, scale: int = 2) -> Bytes:
    """Render the strips of N clips, one below the other. Faint clips are stretched, which a line above them says.

    Args:
        targets: uint8 ``(N, T, 3, H, W)``.
        reconstructions: The same shape.
        scale: Integer enlargement.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    strips = []
    for target, reconstruction in zip(targets, reconstructions, strict=True):
        levels = shown_range(target)
        strip = render_strip(_stretch(target, levels), _stretch(reconstruction, levels), scale)
        title = f"contrast stretched: {levels[0]} is black, {levels[1]} is white"
        strips.append(strip if levels == (0, 255) else add_title(strip, title))
    bar = np.full((3 * scale, strips[0].shape[1], 3), DARK, dtype=np.uint8)
    parts = [part for picture in strips for part in (picture, bar)][:-1]
    return np.concatenate(parts, axis=0)


def save_gif(targets: Bytes, reconstructions: Bytes, path: Path, scale: int = 3) -> None:
    """Write N clips as an animation, each above its reconstruction and the error. Faint clips are stretched.

    Args:
        targets: uint8 ``(N, T, 3, H, W)``.
        reconstructions: The same shape.
        path: GIF to write. Missing folders are created.
        scale: Integer enlargement.
    """
    levels = [shown_range(target) for target in targets]
    stretched = [
        np.stack([_stretch(clip, pair) for clip, pair in zip(clips, levels, strict=True)])
        for clips in (targets, reconstructions)
    ]
    frames = [render_strip(stretched[0][:, k], stretched[1][:, k], scale) for k in range(targets.shape[1])]
    if any(pair != (0, 255) for pair in levels):
        frames = [add_title(frame, "contrast of faint clips stretched") for frame in frames]
    path.parent.mkdir(parents=True, exist_ok=True)
    # The default colors are the most common ones, which turns small objects grey.
    pictures = [Image.fromarray(frame).quantize(256, method=Image.Quantize.MAXCOVERAGE) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=MILLISECONDS, loop=0)
