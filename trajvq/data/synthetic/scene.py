"""Generate clips: sample parameters, move the object, place the camera, describe and render.

The random numbers of a clip depend on (seed, split, clip index) alone. So a clip stays the same whatever the number
of clips, shards or workers. Its label is the index modulo the number of motion families.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.shards import Columns, texts
from trajvq.data.synthetic.camera import frame
from trajvq.data.synthetic.motion import FAMILIES
from trajvq.data.synthetic.presets import Preset, preset_named
from trajvq.data.synthetic.projective import identifiable
from trajvq.data.synthetic.random import uniforms
from trajvq.data.synthetic.ranges import APPEARANCE, sample_appearance
from trajvq.data.synthetic.styles import Scene, Style
from trajvq.io.arrays import Bytes, Floats
from trajvq.io.video import Size, height_and_width

UNIFORMS = 32  # uniform numbers per clip: 1 for the region, then those of APPEARANCE, then those of the family
BLOCK = 50  # clips rendered at a time: few enough to stay in the processor's cache


def hls_to_rgb(hue: Floats, lightness: Floats, saturation: Floats) -> Bytes:
    """Convert ``(N,)`` colors in [0, 1] to ``(N, 3)`` RGB bytes."""
    offset = (np.array([0.0, 8.0, 4.0]) + 12 * hue[:, None]) % 12
    chroma = saturation * np.minimum(lightness, 1 - lightness)
    wave = np.clip(np.minimum(offset - 3, 9 - offset), -1, 1)
    return np.asarray(np.rint(255 * (lightness[:, None] - chroma[:, None] * wave)).astype(np.uint8))


def hue_names(rgb: Bytes) -> list[str]:
    """Return a one-word name for each color of ``(N, 3)`` RGB bytes."""
    wheel = {"red": 0, "orange": 30, "yellow": 60, "green": 120, "cyan": 180, "blue": 240, "magenta": 300}
    red, green, blue = rgb.astype(float).T
    hue = np.rad2deg(np.arctan2(3**0.5 * (green - blue), 2 * red - green - blue))
    distance = np.abs((hue[:, None] - np.array(list(wheel.values())) + 180) % 360 - 180)
    return [list(wheel)[k] for k in distance.argmin(axis=1)]


def lay_out(preset: Preset, seed: int, split: str, start: int, stop: int, frames: int, size: Size) -> Columns:
    """Return all columns of clips ``start`` to ``stop`` of a split, except for the rendered ones.

    Raises:
        ValueError: If a path does not fit into the frame.
    """
    numbers = uniforms(seed, split, start, stop, UNIFORMS)
    label = np.arange(start, stop) % len(FAMILIES)
    appearance = sample_appearance(
        preset.regions[split], numbers[:, 0], {name: numbers[:, 1 + k] for k, name in enumerate(APPEARANCE)}
    )
    time = np.linspace(0, 1, frames)
    width = max(len(motion.parameters()) for motion in FAMILIES)
    params = np.full((len(label), width), np.nan)
    position, axis = np.empty((len(label), frames, 3)), np.empty((len(label), 3))
    equations, motions = [""] * len(label), [""] * len(label)
    for number, motion in enumerate(FAMILIES):
        rows = np.flatnonzero(label == number)
        u = numbers[rows, 1 + len(APPEARANCE) :]
        sampled = {name: interval(u[:, k]) for k, (name, interval) in enumerate(motion.ranges.items())}
        solved = np.round(motion.solve(sampled), 5)
        params[rows, : solved.shape[1]] = solved
        position[rows], axis[rows] = motion.position(solved, time), motion.view_axis(solved)
        for row, equation, words in zip(rows, motion.equations(solved), motion.describe(solved), strict=True):
            equations[row], motions[row] = equation, words
    view = frame(position, axis, appearance, *height_and_width(size))
    color = hls_to_rgb(appearance["hue"], appearance["lightness"], appearance["saturation"])
    descriptions = (
        f"A {hue} ball of radius {radius:.1f} px {words}."
        for hue, radius, words in zip(hue_names(color), view.radius.mean(axis=1).tolist(), motions, strict=True)
    )
    return {
        "label": label.astype(np.int64),
        "position": position[:, :, None].astype(np.float32),
        "time": np.broadcast_to(time, (len(label), frames)).astype(np.float32),
        "pixel": view.pixel[:, :, None].astype(np.float32),
        "radius": view.radius[..., None].astype(np.float32),
        "color": color[:, None],
        "identifiable": identifiable(view.pixel, time, [FAMILIES[k].name for k in label])[:, None],
        "camera": view.camera.astype(np.float32),
        "params": params[:, None].astype(np.float32),
        "equation": texts(equations)[:, None],
        "description": texts(descriptions)[:, None],
    }


def render_blocks(
    columns: Columns, style: Style, seed: int, split: str, start: int, size: Size
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the rendered columns, ``video``, ``background`` and ``occluded``, for one block of clips after another.

    Every block overwrites the video of the block before it.

    Args:
        columns: Columns of `lay_out`.
        style: How to render.
        seed: Seed of the dataset.
        split: Split of the clips.
        start: Index of the first clip.
        size: Width and height in pixels, or the side of a square.
    """
    count, frames = columns["radius"].shape[:2]
    buffer = np.empty((min(BLOCK, count), frames, 3, *height_and_width(size)), dtype=np.uint8)
    for first in range(0, count, BLOCK):
        block = slice(first, first + BLOCK)
        pixel, radius = (columns[name][block].astype(np.float64) for name in ("pixel", "radius"))
        video = buffer[: len(pixel)]
        scene = Scene(seed, split, start + first, pixel, radius, columns["color"][block])
        yield {"video": video, **style.render(scene, video)}


def make_clips(
    seed: int, split: str, start: int, stop: int, frames: int, size: Size, preset: str = "default"
) -> Columns:
    """Generate clips ``start`` to ``stop`` of a split in memory: all columns of a shard except ``crc32``."""
    chosen = preset_named(preset)
    columns = lay_out(chosen, seed, split, start, stop, frames, size)
    blocks = [
        {name: array.copy() for name, array in block.items()}
        for block in render_blocks(columns, chosen.make_style(), seed, split, start, size)
    ]
    return {**columns, **{name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}}
