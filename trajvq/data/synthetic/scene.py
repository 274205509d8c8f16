"""Generate clips: sample parameters, move the object, place the camera, describe and render.

The random numbers of a clip depend on (seed, split, clip index) alone. So a clip stays the same whatever the number
of clips, shards or workers. Its label is the index modulo the number of motion families.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.shards import SCHEMA, Columns, texts
from trajvq.data.synthetic.camera import depths, frame, see
from trajvq.data.synthetic.motion import FAMILIES
from trajvq.data.synthetic.paths import UNIFORMS, sample_paths
from trajvq.data.synthetic.placement import OWN_NUMBERS, occlusion, place_objects, sample_scene
from trajvq.data.synthetic.presets import Preset, preset_named
from trajvq.data.synthetic.projective import identifiable
from trajvq.data.synthetic.random import uniforms
from trajvq.data.synthetic.styles import Scene, Style
from trajvq.io.video import Size, height_and_width

BLOCK = 50  # clips rendered at a time: few enough to stay in the processor's cache


def lay_out(preset: Preset, seed: int, split: str, start: int, stop: int, frames: int, size: Size) -> Columns:
    """Return all columns of clips ``start`` to ``stop`` of a split, except for the rendered ones.

    Raises:
        ValueError: If a path does not fit into the frame.
    """
    height, width = height_and_width(size)
    time, label = np.linspace(0, 1, frames), np.arange(start, stop) % len(FAMILIES)
    if preset.objects == 1:
        paths = sample_paths(preset, split, label, uniforms(seed, split, start, stop, UNIFORMS))
        position, exists = paths.positions(time), np.ones((len(label), 1), dtype=bool)
        view = frame(position, paths.view_axes(preset.clockwise), paths.appearance, height, width)
    else:
        purposes = [f"{split}/object{k}" for k in range(preset.objects)]
        numbers = np.stack([uniforms(seed, purpose, start, stop, UNIFORMS) for purpose in purposes], axis=1)
        labels = np.repeat(label, preset.objects)
        paths = sample_paths(preset, split, labels, numbers.reshape(len(labels), UNIFORMS))
        own = uniforms(seed, f"{split}/scene", start, stop, preset.objects * OWN_NUMBERS)
        scene, exists = sample_scene(own.reshape(*numbers.shape[:2], OWN_NUMBERS))
        placement = place_objects(
            paths.positions(time), paths.view_axes(preset.clockwise), paths.appearance, scene, exists, height, width
        )
        paths = paths.moved(placement)
        position = paths.positions(time)
        view = see(position, placement.camera, paths.appearance["size"] * min(height, width))
    equations, descriptions = paths.texts(view.radius)
    by_path: dict[str, NDArray[Any]] = {
        "position": position.astype(np.float32),
        "pixel": view.pixel.astype(np.float32),
        "radius": view.radius.astype(np.float32),
        "color": paths.color,
        "params": paths.params.astype(np.float32),
        "equation": texts(equations),
        "description": texts(descriptions),
    }
    columns = {name: _by_clip(name, column, exists) for name, column in by_path.items()}
    occluded = occlusion(columns["pixel"], columns["radius"], height, width)
    visible = None if preset.objects == 1 else ~occluded.swapaxes(1, 2).reshape(-1, frames)
    names = [FAMILIES[k].name for k in paths.label]
    return {
        **columns,
        "label": label.astype(np.int64),
        "time": np.broadcast_to(time, (len(label), frames)).astype(np.float32),
        "occluded": occluded,
        "identifiable": identifiable(view.pixel, time, names, visible).reshape(exists.shape) & exists,
        "camera": view.camera.astype(np.float32),
    }


def _by_clip(name: str, column: NDArray[Any], exists: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a column of M paths as in the schema, with NaN, 0 or an empty text for objects that do not exist."""
    missing = np.nan if column.dtype.kind == "f" else 0 if column.dtype.kind == "u" else b""
    column = column.reshape(*exists.shape, *column.shape[1:])
    column = np.where(exists.reshape(*exists.shape, *[1] * (column.ndim - 2)), column, column.dtype.type(missing))
    return np.moveaxis(column, 1, SCHEMA[name][1].index("K") + 1)


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
        depth = depths(*(columns[name][block].astype(np.float64) for name in ("position", "camera")))
        scene = Scene(seed, split, start + first, pixel, radius, columns["color"][block], depth)
        rendered = style.render(scene, video)
        if "occluded" in columns:
            rendered["occluded"] |= columns["occluded"][block]
        yield {"video": video, **rendered}


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
