"""The eye chart: discs of many radii, contrasts and speeds, and pairs of discs a small shift apart.

The chart is a dataset with one split, ``test``. Its clips show gray discs on white that move on straight lines at
sub-pixel positions. Row k of ``params`` describes clip k; `PARAMS` names the columns.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from trajvq.data.storage.manifest import Manifest
from trajvq.data.storage.splits import new_dataset, write_split
from trajvq.data.synthetic.camera import EDGE, UNIT
from trajvq.data.synthetic.random import uniforms
from trajvq.data.synthetic.render import render_discs
from trajvq.errors import DataError

PRESET = "chart"
RADII = (4.0, 3.0, 2.0, 1.5, 1.0, 0.75)  # px
CONTRASTS = (1.0, 0.5, 0.25, 0.12, 0.06, 0.03)  # of black on white
SPEEDS = (0.0, 1.0, 2.5)  # px per frame
REPEATS = 4
SHIFTS = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)  # px
PAIRS = 16
PAIR_RADIUS, PAIR_CONTRAST, PAIR_SPEED = 2.0, 1.0, 1.0
PARAMS = [
    "radius",
    "contrast",
    "speed",
    "shift",
    "pair",
]  # shift and pair are NaN outside pairs; the first clip of a pair has shift 0
UNIFORMS = 4  # uniform numbers per path: 1 for the direction, 2 for the position, 1 unused


def rows() -> list[tuple[float, float, float, float, float]]:
    """Return the params of all clips, in order."""
    grid = [(*cell, np.nan, np.nan) for cell in product(RADII, CONTRASTS, SPEEDS) for _ in range(REPEATS)]
    pairs = [
        (PAIR_RADIUS, PAIR_CONTRAST, PAIR_SPEED, moved, float(number))
        for number, (shift, _) in enumerate(product(SHIFTS, range(PAIRS)))
        for moved in (0.0, shift)
    ]
    return [*grid, *pairs]


def make_chart(out: Path, frames: int = 16, size: int = 64) -> Manifest:
    """Write the eye chart as a dataset folder.

    Args:
        out: The folder to create.
        frames: Frames per clip.
        size: Height and width in pixels.

    Raises:
        DataError: If the paths do not fit into the frame, or the folder cannot be written.
    """
    longest = max(SPEEDS) * (frames - 1) + 2 * (max(RADII) + EDGE) + max(SHIFTS) + 1
    if frames < 2 or longest > size:
        raise DataError(
            f"paths of {longest:.0f} px over {frames} frames do not fit into {size} px; give a larger --size"
        )
    manifest = Manifest(PRESET, 0, frames, size, size, classes=["disc"], columns={"params": {"disc": PARAMS}})
    with new_dataset(out) as folder:
        write_split(folder, manifest, "test", _clips(frames, size))
        manifest.write(folder)
    return manifest


def _clips(frames: int, size: int) -> Iterator[dict[str, Any]]:
    time = np.linspace(0, 1, frames)
    numbers = uniforms(0, PRESET, 0, 10_000, UNIFORMS)
    for number, row in enumerate(rows()):
        radius, contrast, speed, shift, pair = row
        u = numbers[number if np.isnan(pair) else 5000 + int(pair)]  # both clips of a pair have the same path
        angle = 2 * np.pi * u[0]
        path = (time[:, None] - 0.5) * speed * (frames - 1) * np.array([np.cos(angle), np.sin(angle)])
        margin = np.abs(path).max(axis=0) + radius + EDGE + 1 / UNIT
        free = np.array([size - max(SHIFTS), size]) - 2 * margin
        position = margin + free * u[1:3] + path
        position[:, 0] += 0.0 if np.isnan(shift) else shift
        pixel = np.rint(position * UNIT) / UNIT
        color = np.full(3, round(255 * (1 - contrast)), dtype=np.uint8)
        video = np.full((1, frames, 3, size, size), 255, dtype=np.uint8)
        render_discs(video, pixel[None], np.full((1, frames), radius), color[None])
        yield {
            "video": video[0],
            "label": np.int64(0),
            "time": time.astype(np.float32),
            "pixel": pixel[:, None].astype(np.float32),
            "radius": np.full((frames, 1), radius, dtype=np.float32),
            "color": color[None],
            "background": np.full(3, 255, dtype=np.uint8),
            "occluded": np.zeros((frames, 1), dtype=bool),
            "params": np.array([row], dtype=np.float32),
        }
