"""Import tracks: 2-D or 3-D paths in any unit become clips, rendered like generated ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.labels import Label, class_ids
from trajvq.data.storage.manifest import Manifest
from trajvq.data.storage.shards import Columns
from trajvq.data.storage.splits import new_dataset, split_by_class, split_sizes, write_split
from trajvq.data.synthetic.camera import COLUMNS, View, look_along
from trajvq.data.synthetic.motion import unit_vector
from trajvq.data.synthetic.presets import Preset, preset_named
from trajvq.data.synthetic.random import uniforms
from trajvq.data.synthetic.ranges import APPEARANCE, sample_appearance
from trajvq.data.synthetic.scene import UNIFORMS, hls_to_rgb, render_blocks
from trajvq.errors import DataError, first_line
from trajvq.io.arrays import Bytes, Floats
from trajvq.io.video import Size, height_and_width

MAX_COORDINATE = 1e12  # beyond it, rounding errors are as large as the path
SPAN = 0.7  # default share of the frame that a path takes
VIEW = (30.0, 25.0)  # azimuth and elevation of the camera for 3-D tracks, in degrees


@dataclass(frozen=True)
class Track:
    """One recorded path of P points.

    Attributes:
        name: Name for messages.
        label: Class id or name, or None.
        time: ``(P,)`` ascending frame numbers.
        position: ``(P, 2)`` or ``(P, 3)`` coordinates.
    """

    name: str
    label: Label
    time: Floats
    position: Floats


def read_tracks(path: Path) -> list[Track]:
    """Read a CSV or Parquet table with columns ``clip``, ``frame``, ``x``, ``y`` and optionally ``z`` and ``label``.

    Raises:
        DataError: If the table cannot be read, a column is missing, or a value is invalid.
    """
    table = _read_table(path)
    missing = [name for name in ("clip", "frame", "x", "y") if name not in table]
    if missing:
        raise DataError(f"{path} has no column {missing[0]!r}; needed: clip, frame, x, y; z and label if there are any")
    if not len(table["clip"]):
        raise DataError(f"{path} holds no row")
    axes = [name for name in "xyz" if name in table]
    numbers = {name: _coordinates(path, name, table[name]) for name in ("frame", *axes)}
    clips, track = np.unique(table["clip"], return_inverse=True)
    order = np.lexsort((numbers["frame"], track))
    ends = np.flatnonzero(np.diff(track[order])) + 1
    return [
        _track(path, name, rows, table.get("label"), numbers, axes)
        for name, rows in zip(clips.tolist(), np.split(order, ends), strict=True)
    ]


def _coordinates(path: Path, name: str, column: NDArray[Any]) -> Floats:
    """Return a column as float64.

    Raises:
        DataError: If it holds no numbers, or one that is not finite or too large.
    """
    if column.dtype.kind not in "iuf":
        raise DataError(f"{path}: column {name!r} holds {column.dtype}, not numbers")
    values = column.astype(np.float64)
    invalid = np.flatnonzero(~(np.abs(values) < MAX_COORDINATE))
    if len(invalid):
        raise DataError(f"{path}: {name} is {values[invalid[0]]:g} in row {invalid[0] + 1}; fix or remove that track")
    return values


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
        track_labels = set(labels[rows].tolist())
        if len(track_labels) > 1:
            raise DataError(f"{path}: clip {name} has several labels: {', '.join(sorted(map(str, track_labels)))}")
        label = track_labels.pop()
    return Track(f"{path}, clip {name}", label, time, np.stack([numbers[axis][rows] for axis in axes], axis=-1))


def _read_table(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise DataError(f"{path} does not exist or is not a file")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet", ".pq"):
        raise DataError(f"{path}: {suffix or 'no ending'} is not known; give .csv or .parquet")
    try:
        import pyarrow as pa
        from pyarrow import csv, parquet
    except ImportError:
        raise DataError("tracks need pyarrow; install it with `pip install trajvq[import]`") from None
    try:
        table = csv.read_csv(path) if suffix == ".csv" else parquet.read_table(path)
        columns = {}
        for name in table.column_names:
            column = table[name]
            if column.null_count:
                raise DataError(
                    f"{path}: column {name!r} has {column.null_count} empty cells; fill or remove those rows"
                )
            if name in ("clip", "frame", "x", "y", "z", "label"):
                columns[name] = column.to_numpy()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(f"{path} is not a readable table ({first_line(error)})") from None
    return columns


def resample(track: Track, frames: int) -> Floats:
    """Return ``(frames, 3)`` positions at evenly spaced times, interpolated linearly between the points of a track."""
    time = np.linspace(track.time[0], track.time[-1], frames)
    flat = np.stack([np.interp(time, track.time, axis) for axis in track.position.T], axis=-1)
    return np.pad(flat, ((0, 0), (0, 3 - flat.shape[1])))


def _view(position: Floats, radius: Floats, size: Size, span: float, flat: bool, y_down: bool) -> View:
    """Place a camera before ``(N, T, 3)`` paths of objects with ``(N,)`` mean radii in pixels; see `import_tracks`."""
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
    appearance = sample_appearance(
        preset.regions["train"], numbers[:, 0], {name: numbers[:, 1 + k] for k, name in enumerate(APPEARANCE)}
    )
    color = hls_to_rgb(appearance["hue"], appearance["lightness"], appearance["saturation"])
    return appearance["size"] * side, color


def import_tracks(
    path: Path,
    out: Path,
    val: int | None = None,
    test: int | None = None,
    seed: int = 0,
    frames: int = 16,
    size: Size = 64,
    preset: str = "default",
    span: float = SPAN,
    y_down: bool = False,
    fold: int = 0,
    classes: Sequence[str] = (),
) -> Manifest:
    """Import tracks as a dataset: resample each to the frames of a clip, place a camera, and render it.

    Args:
        path: CSV or Parquet, see `read_tracks`.
        out: The dataset folder to create.
        val: Number of tracks for validation; see `trajvq.data.storage.splits.split_sizes`.
        test: Number of tracks for the test split.
        seed: Seed of the splits and of sizes and colors.
        frames: Frames per clip.
        size: Width and height in pixels, or the side of a square.
        preset: Preset whose style, sizes and colors to use.
        span: Share of the frame, of its shorter side, that the longer side of a path takes, in (0, 1].
        y_down: Whether the y axis of the tracks points down, as in pictures, instead of up.
        fold: Fold of a cross-validation, see `trajvq.data.storage.splits.split_by_class`.
        classes: Names of the labels in ascending order.

    Returns:
        The manifest of the dataset.

    Raises:
        DataError: If the tracks cannot be read or do not fit, or ``out`` cannot be written.
    """
    if not 0 < span <= 1:
        raise DataError(f"a span of {span} does not fit into the frame; give more than 0 and at most 1")
    height, width = height_and_width(size)
    if frames < 2 or min(height, width) < 16:
        raise DataError(f"clips of {frames} frames and {width}x{height} pixels are too small: at least 2 and 16x16")
    chosen = preset_named(preset)
    tracks = read_tracks(path)
    ids, names = class_ids([track.label for track in tracks], str(path), classes)
    sizes = split_sizes(len(tracks), val, test, str(path))
    position = np.stack([resample(track, frames) for track in tracks])
    flat = tracks[0].position.shape[1] == 2
    points = [len(track.time) for track in tracks]
    print(
        f"{path}: {len(tracks)} tracks of {min(points)} to {max(points)} points "
        f"in {'2-D' if flat else '3-D'}; classes: {len(names) or 'none'}; "
        f"clips of {frames} frames, {width}x{height}"
    )
    radius, color = _sample_radius_and_color(chosen, seed, path.name, len(tracks), min(height, width))
    view = _view(position, radius, size, span, flat, y_down)
    columns: dict[str, NDArray[Any]] = {
        "position": position[:, :, None].astype(np.float32),
        "time": np.broadcast_to(np.linspace(0, 1, frames, dtype=np.float32), (len(tracks), frames)),
        "pixel": view.pixel[:, :, None].astype(np.float32),
        "radius": view.radius[..., None].astype(np.float32),
        "color": color[:, None],
        "camera": view.camera.astype(np.float32),
        **({"label": ids} if names else {}),
    }
    manifest = Manifest(path.name, seed, frames, height, width, classes=names, columns={"camera": COLUMNS})
    with new_dataset(out) as folder:
        for split, rows in split_by_class(ids, sizes, seed, fold).items():
            split_columns = {name: column[rows] for name, column in columns.items()}
            write_split(folder, manifest, split, _render(split_columns, chosen, seed, split, size))
        manifest.write(folder)
    return manifest


def _render(columns: Columns, preset: Preset, seed: int, split: str, size: Size) -> Iterator[dict[str, Any]]:
    """Yield the clips of one split one by one, with their rendered columns."""
    row = 0
    for block in render_blocks(columns, preset.make_style(), seed, f"tracks/{split}", 0, size):
        for k in range(len(block["video"])):
            rendered = {name: column[k].copy() for name, column in block.items()}  # the next block overwrites them
            yield {name: column[row] for name, column in columns.items()} | rendered
            row += 1
