"""Make clips: draw parameters, move, frame, describe and render.

All randomness of a clip comes from (seed, split, clip index), so a clip is the same whatever the
number of clips, shards or workers. The label is the index modulo the number of families.
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
from trajvq.data.synthetic.ranges import LOOK, sample_appearance
from trajvq.data.synthetic.styles import Look, Scene
from trajvq.io.arrays import Bytes, Floats

DRAWS = 32  # random numbers a clip: 1 for the region, then LOOK, then the family's own
BLOCK = 50  # clips drawn at once: few enough to stay in the processor's cache


def hls_to_rgb(hue: Floats, lightness: Floats, saturation: Floats) -> Bytes:
    """Turn ``(N,)`` colors in [0, 1] into ``(N, 3)`` RGB bytes."""
    offset = (np.array([0.0, 8.0, 4.0]) + 12 * hue[:, None]) % 12
    chroma = saturation * np.minimum(lightness, 1 - lightness)
    wave = np.clip(np.minimum(offset - 3, 9 - offset), -1, 1)
    return np.asarray(np.rint(255 * (lightness[:, None] - chroma[:, None] * wave)).astype(np.uint8))


def hue_names(rgb: Bytes) -> list[str]:
    """Name each color of ``(N, 3)`` RGB bytes in a word."""
    wheel = {"red": 0, "orange": 30, "yellow": 60, "green": 120, "cyan": 180, "blue": 240, "magenta": 300}
    red, green, blue = rgb.astype(float).T
    hue = np.rad2deg(np.arctan2(3**0.5 * (green - blue), 2 * red - green - blue))
    apart = np.abs((hue[:, None] - np.array(list(wheel.values())) + 180) % 360 - 180)
    return [list(wheel)[k] for k in apart.argmin(axis=1)]


def lay_out(preset: Preset, seed: int, split: str, start: int, stop: int, frames: int, size: int) -> Columns:
    """Decide clips start to stop of a split: all columns of a shard but the pixels.

    Raises:
        ValueError: If a path does not fit into the picture.
    """
    draws = uniforms(seed, split, start, stop, DRAWS)
    label = np.arange(start, stop) % len(FAMILIES)
    look = sample_appearance(preset.regions[split], draws[:, 0], {n: draws[:, 1 + k] for k, n in enumerate(LOOK)})
    time = np.linspace(0, 1, frames)
    width = max(len(motion.parameters()) for motion in FAMILIES)
    params = np.full((len(label), width), np.nan)
    position, axis = np.empty((len(label), frames, 3)), np.empty((len(label), 3))
    equations, moves = [""] * len(label), [""] * len(label)
    for number, motion in enumerate(FAMILIES):
        rows = np.flatnonzero(label == number)
        own = draws[rows, 1 + len(LOOK) :]
        drawn = {name: span(own[:, k]) for k, (name, span) in enumerate(motion.ranges.items())}
        solved = np.round(motion.solve(drawn), 5)
        params[rows, : solved.shape[1]] = solved
        position[rows], axis[rows] = motion.position(solved, time), motion.view_axis(solved)
        for row, equation, words in zip(rows, motion.equations(solved), motion.describe(solved), strict=True):
            equations[row], moves[row] = equation, words
    view = frame(position, axis, look, height=size, width=size)
    color = hls_to_rgb(look["hue"], look["lightness"], look["saturation"])
    described = zip(hue_names(color), view.radius.mean(axis=1).tolist(), moves, strict=True)
    return {
        "label": label.astype(np.int64),
        "position": position.astype(np.float32),
        "time": np.broadcast_to(time, (len(label), frames)).astype(np.float32),
        "pixel": view.pixel.astype(np.float32),
        "radius": view.radius.astype(np.float32),
        "color": color,
        "identifiable": identifiable(view.pixel, time, [FAMILIES[k].name for k in label]),
        "camera": view.camera.astype(np.float32),
        "params": params.astype(np.float32),
        "equation": texts(equations),
        "description": texts(f"A {hue} ball of radius {radius:.1f} px {words}." for hue, radius, words in described),
    }


def draw(
    columns: Columns, look: Look, seed: int, split: str, start: int, size: int
) -> Iterator[dict[str, NDArray[Any]]]:
    """Draw clips that are laid out, a block at a time: ``video``, ``background`` and ``occluded``.

    The video of a block is overwritten by the next one.
    """
    count, frames = columns["radius"].shape
    buffer = np.empty((min(BLOCK, count), frames, 3, size, size), dtype=np.uint8)
    for first in range(0, count, BLOCK):
        part = slice(first, first + BLOCK)
        pixel, radius = (columns[name][part].astype(np.float64) for name in ("pixel", "radius"))
        video = buffer[: len(pixel)]
        drawn = look.draw(Scene(seed, split, start + first, pixel, radius, columns["color"][part]), video)
        yield {"video": video, **drawn}


def make_clips(
    seed: int, split: str, start: int, stop: int, frames: int, size: int, preset: str = "default"
) -> Columns:
    """Make clips start to stop of a split in memory: all columns of a shard except ``crc32``."""
    chosen = preset_named(preset)
    columns = lay_out(chosen, seed, split, start, stop, frames, size)
    blocks = [
        {name: array.copy() for name, array in block.items()}
        for block in draw(columns, chosen.make_look(), seed, split, start, size)
    ]
    return {**columns, **{name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}}
