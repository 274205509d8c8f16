"""Make datasets: draw, move, frame, render and store, a shard at a time.

All randomness of a clip comes from (seed, split, clip index), so a clip is the same whatever the
number of clips, shards or workers. The label is the index modulo the number of families.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from trajvq.data.camera import COLUMNS, frame
from trajvq.data.motion import FAMILIES
from trajvq.data.projective import identifiable
from trajvq.data.ranges import LOOK, REGIONS, Floats, draw_look
from trajvq.data.render import Bytes, draw_discs
from trajvq.data.store import MANIFEST, Columns, DataError, Manifest, write_shard

SHARD = 1000  # clips a shard
DRAWS = 32  # random numbers a clip: 1 for the region, then LOOK, then the family's own
WHITE = 255
PRESETS = {"default": {"train": 4000, "val": 400, "test": 400}}
OOD = tuple(split for split in REGIONS if split.startswith("ood_"))
OOD_CLIPS = 400
TEXT = 320  # bytes of an equation or description


def uniforms(seed: int, split: str, start: int, stop: int) -> Floats:
    """Return ``(stop - start, DRAWS)`` uniform numbers in [0, 1) for clips start to stop."""
    key = int.from_bytes(hashlib.sha256(f"{seed}/{split}".encode()).digest()[:16], "little")
    bits = np.random.Philox(key=key)
    bits.advance(start * DRAWS // 4)  # a Philox counter yields four numbers
    return np.random.Generator(bits).random((stop - start, DRAWS))


def hls_to_rgb(hue: Floats, lightness: Floats, saturation: Floats) -> Bytes:
    """Turn ``(N,)`` colours in [0, 1] into ``(N, 3)`` RGB bytes."""
    offset = (np.array([0.0, 8.0, 4.0]) + 12 * hue[:, None]) % 12
    chroma = saturation * np.minimum(lightness, 1 - lightness)
    wave = np.clip(np.minimum(offset - 3, 9 - offset), -1, 1)
    return np.asarray(np.rint(255 * (lightness[:, None] - chroma[:, None] * wave)).astype(np.uint8))


def hue_name(rgb: Bytes) -> str:
    """Name the colour of ``(3,)`` RGB bytes in a word."""
    wheel = {"red": 0, "orange": 30, "yellow": 60, "green": 120, "cyan": 180, "blue": 240, "magenta": 300}
    red, green, blue = (float(c) for c in rgb)
    hue = np.rad2deg(np.arctan2(3**0.5 * (green - blue), 2 * red - green - blue))
    return min(wheel, key=lambda name: abs((hue - wheel[name] + 180) % 360 - 180))


def make_clips(seed: int, split: str, start: int, stop: int, frames: int, size: int) -> Columns:
    """Make clips start to stop of a split: all columns of a shard except ``crc32``.

    Raises:
        ValueError: If a path does not fit into the picture.
    """
    draws = uniforms(seed, split, start, stop)
    label = np.arange(start, stop) % len(FAMILIES)
    look = draw_look(REGIONS[split], draws[:, 0], {n: draws[:, 1 + k] for k, n in enumerate(LOOK)})
    time = np.linspace(0, 1, frames)
    width = max(len(motion.parameters()) for motion in FAMILIES)
    params = np.full((len(label), width), np.nan)
    position, axis = np.empty((len(label), frames, 3)), np.empty((len(label), 3))
    equation, moves = np.empty(len(label), dtype=f"S{TEXT}"), [""] * len(label)
    for number, motion in enumerate(FAMILIES):
        rows = np.flatnonzero(label == number)
        own = draws[rows, 1 + len(LOOK) :]
        drawn = {name: span(own[:, k]) for k, (name, span) in enumerate(motion.ranges.items())}
        solved = np.round(motion.solve(drawn), 5)
        params[rows, : solved.shape[1]] = solved
        position[rows], axis[rows] = motion.position(solved, time), motion.view_axis(solved)
        for row, numbers in zip(rows, solved, strict=True):
            equation[row] = _text(motion.equation(numbers))
            moves[row] = motion.describe(numbers)
    view = frame(position, axis, look, height=size, width=size)
    color = hls_to_rgb(look["hue"], look["lightness"], look["saturation"])
    video = np.full((len(label), frames, 3, size, size), WHITE, dtype=np.uint8)
    draw_discs(video, view.pixel, view.radius, color)
    description = [
        _text(f"A {hue_name(rgb)} ball of radius {radius:.1f} px {words}.")
        for rgb, radius, words in zip(color, view.radius.mean(axis=1), moves, strict=True)
    ]
    return {
        "video": video,
        "label": label.astype(np.int64),
        "position": position.astype(np.float32),
        "time": np.broadcast_to(time, (len(label), frames)).astype(np.float32),
        "pixel": view.pixel.astype(np.float32),
        "radius": view.radius.astype(np.float32),
        "color": color,
        "background": np.full((len(label), 3), WHITE, dtype=np.uint8),
        "occluded": np.zeros((len(label), frames), dtype=bool),
        "identifiable": identifiable(view.pixel, time, [FAMILIES[k].name for k in label]),
        "camera": view.camera.astype(np.float32),
        "params": params.astype(np.float32),
        "equation": equation,
        "description": np.array(description, dtype=f"S{TEXT}"),
    }


def _text(line: str) -> bytes:
    raw = line.encode()
    if len(raw) > TEXT:
        raise ValueError(f"a text of {len(raw)} bytes does not fit into {TEXT}: {line}")
    return raw


def plan(preset: str, seed: int, frames: int, size: int) -> Manifest:
    """Return the manifest of a dataset with no shard yet."""
    return Manifest(
        preset=preset,
        seed=seed,
        frames=frames,
        height=size,
        width=size,
        classes=[motion.name for motion in FAMILIES],
        columns={"camera": COLUMNS, "params": {motion.name: motion.parameters() for motion in FAMILIES}},
        ranges={
            "look": {name: asdict(span) for name, span in LOOK.items()},
            "motion": {m.name: {name: asdict(span) for name, span in m.ranges.items()} for m in FAMILIES},
            "splits": {
                split: [{name: [list(part) for part in parts] for name, parts in region.items()} for region in regions]
                for split, regions in REGIONS.items()
            },
        },
    )


def shards(clips: Mapping[str, int]) -> Iterator[tuple[str, int, int, int]]:
    """Yield (split, shard number, first clip, clip behind the last) for a dataset of these sizes."""
    for split, count in clips.items():
        for number, start in enumerate(range(0, count, SHARD)):
            yield split, number, start, min(start + SHARD, count)


def shard_name(split: str, number: int) -> str:
    """Return the file name of a shard."""
    return f"{split}-{number:05d}.h5"


def generate(
    out: Path,
    clips: Mapping[str, int] | None = None,
    seed: int = 0,
    preset: str = "default",
    frames: int = 16,
    size: int = 64,
    progress: bool = True,
) -> Manifest:
    """Generate a dataset folder.

    Args:
        out: The folder; made if it is not there.
        clips: Clips by split; splits left out take the preset's number, and 0 leaves a split out.
        seed: Every clip depends on it, its split and its index alone.
        preset: A name in `PRESETS`.
        frames: Frames a clip.
        size: Height and width in pixels.
        progress: Show a progress bar where there is a terminal.

    Returns:
        The manifest written.

    Raises:
        DataError: If the preset is unknown, the folder holds something else or cannot be written.
    """
    if preset not in PRESETS:
        raise DataError(f"unknown preset {preset!r}; known: {', '.join(PRESETS)}")
    if frames < 2 or size < 16:
        raise DataError(f"clips of {frames} frames and {size}x{size} pixels are too small: at least 2 and 16x16")
    wanted = {**PRESETS[preset], **dict.fromkeys(OOD, OOD_CLIPS)}
    wanted = {split: count for split, count in {**wanted, **(clips or {})}.items() if count}
    manifest = plan(preset, seed, frames, size)
    with new_dataset(out) as folder:
        work = list(shards(wanted))
        for split, number, start, stop in track(work, f"Generating {out}", disable=not progress, transient=True):
            entry = write_shard(folder / shard_name(split, number), make_clips(seed, split, start, stop, frames, size))
            manifest.splits.setdefault(split, []).append(entry)
        manifest.write(folder)
    return manifest


class new_dataset:
    """Build a dataset in a hidden folder beside its place and move it there when it is whole."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.partial = out.with_name(f".{out.name}.partial")

    def __enter__(self) -> Path:
        if (self.out / MANIFEST).exists():
            raise DataError(f"{self.out} already holds a dataset; remove it or choose another --out")
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise DataError(f"{self.out} already exists and is not empty; choose another --out")
        try:
            shutil.rmtree(self.partial, ignore_errors=True)
            self.partial.mkdir(parents=True)
        except OSError as error:
            raise DataError(f"cannot write a dataset to {self.out}: {error.strerror}; choose another --out") from None
        return self.partial

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None:
            if self.out.exists():
                self.out.rmdir()
            self.partial.rename(self.out)
            return
        shutil.rmtree(self.partial, ignore_errors=True)
        if isinstance(error, OSError):
            raise DataError(f"cannot write a dataset to {self.out}: {error.strerror or error}") from None
        if isinstance(error, ValueError):
            raise DataError(str(error)) from None
