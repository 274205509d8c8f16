"""Bring one's own tracks: 2-D or 3-D paths in any unit become clips, drawn like generated ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.shards import DataError, Manifest
from trajvq.data.storage.splits import class_ids, new_dataset, sizes_of, split_by_class, write_split
from trajvq.data.synthetic.camera import COLUMNS, View, look_along
from trajvq.data.synthetic.motion import unit_vector
from trajvq.data.synthetic.presets import Preset, preset_named
from trajvq.data.synthetic.random import uniforms
from trajvq.data.synthetic.ranges import LOOK, sample_appearance
from trajvq.data.synthetic.scene import BLOCK, DRAWS, hls_to_rgb
from trajvq.data.synthetic.styles import Scene
from trajvq.io.arrays import Bytes, Floats

LARGEST = 1e12  # coordinate; beyond it a path cannot be told from its rounding
SPAN = 0.7  # share of the frame that a path takes, by default
SLANT = (30.0, 25.0)  # azimuth and elevation, degrees, from which 3-D tracks are seen


@dataclass(frozen=True)
class Track:
    """One path as it was recorded.

    Attributes:
        name: For messages.
        label: Class number or name, or None.
        time: ``(P,)`` rising frame numbers.
        place: ``(P, 2)`` or ``(P, 3)`` coordinates.
    """

    name: str
    label: str | int | None
    time: Floats
    place: Floats


def read_tracks(path: Path) -> list[Track]:
    """Read a CSV or Parquet table with columns ``clip``, ``frame``, ``x``, ``y`` and perhaps ``z`` and ``label``.

    Raises:
        DataError: If it cannot be read, a column is missing, or a value is not what it should be.
    """
    table = _read_table(path)
    missing = [name for name in ("clip", "frame", "x", "y") if name not in table]
    if missing:
        raise DataError(f"{path} has no column {missing[0]!r}; needed: clip, frame, x, y; z and label if there are any")
    if not len(table["clip"]):
        raise DataError(f"{path} holds no row")
    axes = [name for name in "xyz" if name in table]
    numbers = {}
    for name in ("frame", *axes):
        column = table[name]
        if column.dtype.kind not in "iuf":
            raise DataError(f"{path}: column {name!r} holds {column.dtype}, not numbers")
        numbers[name] = column.astype(np.float64)
        wrong = np.flatnonzero(~(np.abs(numbers[name]) < LARGEST))
        if len(wrong):
            raise DataError(
                f"{path}: {name} is {numbers[name][wrong[0]]:g} in row {wrong[0] + 1}; mend or leave out that track"
            )
    clips, of = np.unique(table["clip"], return_inverse=True)
    order = np.lexsort((numbers["frame"], of))
    ends = np.flatnonzero(np.diff(of[order])) + 1
    tracks = []
    for name, rows in zip(clips.tolist(), np.split(order, ends), strict=True):
        tracks.append(_track(path, name, rows, table.get("label"), numbers, axes))
    return tracks


def _track(
    path: Path,
    name: Any,
    rows: NDArray[np.int64],
    labels: NDArray[Any] | None,
    numbers: dict[str, Floats],
    axes: list[str],
) -> Track:
    time = numbers["frame"][rows]
    if len(rows) < 2:
        raise DataError(f"{path}: clip {name} has one point; a track needs two or more")
    if not (np.diff(time) > 0).all():
        raise DataError(f"{path}: clip {name} has frame {time[:-1][np.diff(time) <= 0][0]:g} twice")
    label = None
    if labels is not None:
        held = set(labels[rows].tolist())
        if len(held) > 1:
            raise DataError(f"{path}: clip {name} has several labels: {', '.join(sorted(map(str, held)))}")
        label = held.pop()
    return Track(f"{path}, clip {name}", label, time, np.stack([numbers[axis][rows] for axis in axes], axis=-1))


def _read_table(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise DataError(f"{path} does not exist or is not a file")
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet", ".pq"):
        raise DataError(f"{path}: {kind or 'no ending'} is not known; give .csv or .parquet")
    try:
        import pyarrow as pa
        from pyarrow import csv, parquet
    except ImportError:
        raise DataError("tracks need pyarrow; install it with `pip install trajvq[import]`") from None
    try:
        table = csv.read_csv(path) if kind == ".csv" else parquet.read_table(path)
        found = {}
        for name in table.column_names:
            column = table[name]
            if column.null_count:
                raise DataError(
                    f"{path}: column {name!r} has {column.null_count} empty cells; fill or remove those rows"
                )
            if name in ("clip", "frame", "x", "y", "z", "label"):
                found[name] = column.to_numpy()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(f"{path} is not a readable table ({str(error).splitlines()[0]})") from None
    return found


def resample(track: Track, frames: int) -> Floats:
    """Return ``(frames, 3)`` places at even times between a track's ends, linear in between."""
    time = np.linspace(track.time[0], track.time[-1], frames)
    flat = np.stack([np.interp(time, track.time, axis) for axis in track.place.T], axis=-1)
    return np.pad(flat, ((0, 0), (0, 3 - flat.shape[1])))


def _picture(
    position: Floats, preset: Preset, seed: int, name: str, size: int, span: float, flat: bool, y_down: bool
) -> tuple[View, Bytes]:
    """Draw sizes and colors by lot, and place a camera before every path; see `import_tracks`."""
    draws = uniforms(seed, f"tracks/{name}", 0, len(position), DRAWS)
    look = sample_appearance(preset.regions["train"], draws[:, 0], {n: draws[:, 1 + k] for k, n in enumerate(LOOK)})
    radius = look["size"] * size
    room = np.minimum(size * span / 2, size / 2 - 1.4 * radius - 1)  # a disc that comes near grows by less
    if flat:  # seen from the side on which x points right
        sign = -1.0 if y_down else 1.0
        toward, up = np.array([[0.0, 0.0, sign]]), np.array([0.0, sign, 0.0])
    else:
        toward, up = unit_vector(np.array([SLANT[0]]), np.array([SLANT[1]])), np.array([0.0, 0.0, 1.0])
    color = hls_to_rgb(look["hue"], look["lightness"], look["saturation"])
    return look_along(position, toward, up, radius, room, size), color


def import_tracks(
    path: Path,
    out: Path,
    val: int | None = None,
    test: int | None = None,
    seed: int = 0,
    frames: int = 16,
    size: int = 64,
    preset: str = "default",
    span: float = SPAN,
    y_down: bool = False,
    fold: int = 0,
) -> Manifest:
    """Import tracks: resampled to a clip's frames, framed by a camera and drawn with a preset's look.

    Args:
        path: CSV or Parquet; see `read_tracks`.
        out: The dataset folder to make.
        val: Tracks for validation; a tenth by default.
        test: Tracks for the test split; a fifth by default.
        seed: Seed of the deal to splits and of sizes and colors.
        frames: Frames a clip.
        size: Height and width in pixels.
        preset: Whose look, sizes and colors to use.
        span: Share of the frame that the longer side of a path takes, in (0, 1].
        y_down: The tracks' y axis points down, as in pictures; else up.
        fold: See `trajvq.data.storage.splits.split_by_class`.

    Returns:
        The manifest written.

    Raises:
        DataError: If the source is not as described or ``out`` cannot be written.
    """
    if not 0 < span <= 1:
        raise DataError(f"a span of {span} does not fit into the frame; give more than 0 and at most 1")
    if frames < 2 or size < 16:
        raise DataError(f"clips of {frames} frames and {size}x{size} pixels are too small: at least 2 and 16x16")
    chosen = preset_named(preset)
    tracks = read_tracks(path)
    ids, names = class_ids([track.label for track in tracks], str(path))
    sizes = sizes_of(len(tracks), val, test, str(path))
    position = np.stack([resample(track, frames) for track in tracks])
    flat = tracks[0].place.shape[1] == 2
    points = [len(track.time) for track in tracks]
    print(
        f"{path}: {len(tracks)} tracks of {min(points)} to {max(points)} points "
        f"in {'2-D' if flat else '3-D'}; classes: {len(names) or 'none'}; clips of {frames} frames, {size}x{size}"
    )
    view, color = _picture(position, chosen, seed, path.name, size, span, flat, y_down)
    manifest = Manifest(path.name, seed, frames, size, size, classes=names, columns={"camera": COLUMNS})
    time = np.linspace(0, 1, frames, dtype=np.float32)

    def clips(split: str, rows: NDArray[np.int64]) -> Any:
        for first in range(0, len(rows), BLOCK):
            part = rows[first : first + BLOCK]
            video = np.empty((len(part), frames, 3, size, size), dtype=np.uint8)
            scene = Scene(seed, f"tracks/{split}", first, view.pixel[part], view.radius[part], color[part])
            drawn = chosen.make_look().draw(scene, video)
            for place, row in enumerate(part):
                yield {
                    "video": video[place],
                    "position": position[row].astype(np.float32),
                    "time": time,
                    "pixel": view.pixel[row].astype(np.float32),
                    "radius": view.radius[row].astype(np.float32),
                    "color": color[row],
                    "camera": view.camera[row].astype(np.float32),
                    **{name: column[place] for name, column in drawn.items()},
                } | ({"label": ids[row]} if names else {})

    with new_dataset(out) as folder:
        for split, rows in split_by_class(ids, sizes, seed, fold).items():
            write_split(folder, manifest, split, clips(split, rows))
        manifest.write(folder)
    return manifest
