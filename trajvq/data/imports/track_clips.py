"""Paths become clips: resampled, seen by a camera, and rendered in the style of a preset.

N clips of T frames, each with one object.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.shards import Columns
from trajvq.data.synthetic.camera import View, look_along
from trajvq.data.synthetic.motion import unit_vector
from trajvq.data.synthetic.paths import UNIFORMS, colors_of
from trajvq.data.synthetic.presets import Preset
from trajvq.data.synthetic.random import uniforms
from trajvq.data.synthetic.ranges import sample_appearance
from trajvq.data.synthetic.scene import render_blocks
from trajvq.io.arrays import Bytes, Floats
from trajvq.io.video import Size, height_and_width

SPAN = 0.7  # default share of the frame that a path takes
VIEW = (30.0, 25.0)  # azimuth and elevation of the camera for 3-D tracks, in degrees


def track_columns(
    position: Floats, preset: Preset, seed: int, name: str, size: Size, span: float, flat: bool, y_down: bool
) -> dict[str, NDArray[Any]]:
    """Return the columns of clips that show some paths, except for labels and the rendered ones.

    Args:
        position: ``(N, T, 3)`` paths in any unit.
        preset: Whose sizes and colors to use.
        seed: Seed of sizes and colors.
        name: Of the imported file; another name gives other sizes and colors.
        size: Width and height in pixels, or the side of a square.
        span: Share of the frame, of its shorter side, that the longer side of a path takes.
        flat: Whether to look along z instead of aslant.
        y_down: For flat paths, whether y points down.
    """
    count, frames = position.shape[:2]
    radius, color = _sample_radius_and_color(preset, seed, name, count, min(height_and_width(size)))
    view = _view(position, radius, size, span, flat, y_down)
    return {
        "position": position[:, :, None].astype(np.float32),
        "time": np.broadcast_to(np.linspace(0, 1, frames, dtype=np.float32), (count, frames)),
        "pixel": view.pixel[:, :, None].astype(np.float32),
        "radius": view.radius[..., None].astype(np.float32),
        "color": color[:, None],
        "camera": view.camera.astype(np.float32),
    }


def resample(time: Floats, position: Floats, frames: int) -> Floats:
    """Return ``(frames, 3)`` positions at evenly spaced times, interpolated linearly between the points of a track.

    Args:
        time: ``(P,)``, ascending.
        position: ``(P, 2)`` or ``(P, 3)``.
        frames: Number of times.
    """
    even = np.linspace(time[0], time[-1], frames)
    flat = np.stack([np.interp(even, time, axis) for axis in position.T], axis=-1)
    return np.pad(flat, ((0, 0), (0, 3 - flat.shape[1])))


def _view(position: Floats, radius: Floats, size: Size, span: float, flat: bool, y_down: bool) -> View:
    """Place a camera before ``(N, T, 3)`` paths of objects with ``(N,)`` mean radii in pixels."""
    height, width = height_and_width(size)
    side = min(height, width)
    extent = np.minimum(side * span / 2, side / 2 - 1.4 * radius - 1)  # near the camera, discs grow by less than 1.4
    if flat:  # look from the side on which x points right
        sign = -1.0 if y_down else 1.0
        toward, up = np.array([[0.0, 0.0, sign]]), np.array([0.0, sign, 0.0])
    else:
        toward, up = unit_vector(np.array([VIEW[0]]), np.array([VIEW[1]])), np.array([0.0, 0.0, 1.0])
    return look_along(position, toward, up, radius, extent, (width, height))


def _sample_radius_and_color(preset: Preset, seed: int, name: str, count: int, side: int) -> tuple[Floats, Bytes]:
    """Return ``(N,)`` radii in pixels, for a shorter ``side``, and ``(N, 3)`` RGB in a preset's training ranges."""
    numbers = uniforms(seed, f"tracks/{name}", 0, count, UNIFORMS)
    appearance = sample_appearance(preset.regions["train"], numbers)
    return appearance["size"] * side, colors_of(appearance)


def render_tracks(columns: Columns, preset: Preset, seed: int, split: str, size: Size) -> Iterator[dict[str, Any]]:
    """Yield the clips of one split one by one, with their rendered columns."""
    row = 0
    for block in render_blocks(columns, preset.make_style(), seed, f"tracks/{split}", 0, size):
        for k in range(len(block["video"])):
            rendered = {name: column[k].copy() for name, column in block.items()}  # the next block overwrites them
            yield {name: column[row] for name, column in columns.items()} | rendered
            row += 1
