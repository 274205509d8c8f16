"""Import tracks: 2-D or 3-D paths in any unit become clips, rendered like generated ones."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.labels import class_ids
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.placement import JUMP, are_flat, at_rest, count_jumps, origins_of
from trajvq.data.imports.plurals import counted, listed
from trajvq.data.imports.segments import Segments, choose_segments, first_of
from trajvq.data.imports.track_clips import SPAN, render_tracks, resample, track_columns
from trajvq.data.storage.manifest import Manifest
from trajvq.data.storage.splits import new_dataset, write_split
from trajvq.data.synthetic.camera import COLUMNS
from trajvq.data.synthetic.presets import preset_named
from trajvq.errors import DataError
from trajvq.io.arrays import Floats
from trajvq.io.video import Size, height_and_width

if TYPE_CHECKING:
    from trajvq.data.imports.points import Recording, Track

FEW_TRACKS = 3  # tracks, or animals with several of them: with fewer, there is not one for each split
LONG_TRACK = 5  # clips that a track must hold to be cut by time into three splits
NAMED_CLASSES = 10  # that are printed
MANY_CLASSES = 0.5  # share of the tracks from which on the number of classes is doubtful


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
    y_down: bool | None = None,
    fold: int = 0,
    classes: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    points: int | None = None,
    min_score: float | None = None,
    skip_bad: bool = False,
) -> Manifest:
    """Import tracks as a dataset: resample each to the frames of a clip, place a camera, and render it.

    Args:
        path: A table, see `trajvq.data.imports.layouts`.
        out: The dataset folder to create.
        val: Number of tracks for validation; see `trajvq.data.storage.splits.split_sizes`.
        test: Number of tracks for the test split.
        seed: Seed of the splits and of sizes and colors.
        frames: Frames per clip.
        size: Width and height in pixels, or the side of a square.
        preset: Preset whose style, sizes and colors to use.
        span: Share of the frame, of its shorter side, that the longer side of a path takes, in (0, 1].
        y_down: Whether the y axis of the tracks points down, as in pictures, instead of up; by default as in the
            table's layout, else up.
        fold: Fold of a cross-validation, see `trajvq.data.storage.splits.split_by_class`.
        classes: Names of the labels in ascending order.
        columns: Names of columns by role; see `trajvq.data.imports.columns.columns_named`.
        points: Points of a track that make a clip; by default a track is a clip, unless it has large gaps.
        min_score: Least score of a point; by default 0.6 for DeepLabCut, else none.
        skip_bad: Leave out rows and tracks that cannot be used.

    Returns:
        The manifest of the dataset.

    Raises:
        DataError: If the tracks cannot be read or do not fit, or ``out`` cannot be written.
    """
    _check(span, frames, size, points)
    chosen = preset_named(preset)
    ledger = Ledger(path)
    recording = _read(ledger, columns, skip_bad, min_score)
    tracks, pieces = _pieces(recording, points, frames, ledger, val is None and test is None)
    ids, names = class_ids([track.label for track in tracks], str(path), classes)
    counts = [len(parts) for parts in pieces]
    spans = [np.array([_span(piece) for piece in parts]) for parts in pieces]
    twins = first_of([track.animal for track in tracks])
    segments, notes = choose_segments(
        [None] * len(tracks), counts, ids, str(path), val, test, seed, fold, twins, "track", spans
    )
    position = np.stack([resample(piece.time, piece.position, frames) for piece in chain.from_iterable(pieces)])
    resting = at_rest(position)
    position[resting] = position[resting, :1]
    flat = are_flat(position)
    contents = f"{counted(recording.rows, 'row')}, {counted(recording.count, 'track')}; "
    for note in [contents + _description(pieces, names, flat, size, frames), *notes]:
        ledger.note(note)
    for note in _doubts(tracks, names, resting, flat):
        ledger.note(note)
    rows = _rows(segments, counts)
    ledger.count("clip", len(position), {"between blocks": len(position) - sum(map(len, rows.values()))})
    position -= _take_origin(position, rows, ledger)
    down = bool(recording.y_down if y_down is None else y_down)
    clip_columns = track_columns(position, chosen, seed, path.name, size, span, flat, down)
    if names:
        clip_columns["label"] = np.repeat(ids, counts)
    height, width = height_and_width(size)
    manifest = Manifest(path.name, seed, frames, height, width, classes=names, columns={"camera": COLUMNS})
    manifest.ledger = ledger.content
    with new_dataset(out) as folder:
        for split, numbers in rows.items():
            split_columns = {name: column[numbers] for name, column in clip_columns.items()}
            write_split(folder, manifest, split, render_tracks(split_columns, chosen, seed, split, size))
        manifest.write(folder)
    return manifest


def _check(span: float, frames: int, size: Size, points: int | None) -> None:
    if not 0 < span <= 1:
        raise DataError(f"a span of {span} does not fit into the frame; give more than 0 and at most 1")
    height, width = height_and_width(size)
    if frames < 2 or min(height, width) < 16:
        raise DataError(f"clips of {frames} frames and {width}x{height} pixels are too small: at least 2 and 16x16")
    if points is not None and points < 2:
        raise DataError(f"--points {points} make no path; give at least 2")


def _description(pieces: Sequence[Sequence["Track"]], names: Sequence[str], flat: bool, size: Size, frames: int) -> str:
    """Return what the clips are, in words."""
    lengths = [len(piece.time) for piece in chain.from_iterable(pieces)]
    lengths_in_words = f"{min(lengths)} to {max(lengths)}" if min(lengths) < max(lengths) else f"{lengths[0]}"
    height, width = height_and_width(size)
    classes = f"{len(names)} ({listed(names, NAMED_CLASSES)})" if names else "none"
    return (
        f"{counted(len(lengths), 'clip')} of {lengths_in_words} points in {'2-D' if flat else '3-D'}; "
        f"classes: {classes}; clips of {frames} frames, {width}x{height}"
    )


def _read(ledger: Ledger, columns: Mapping[str, str] | None, skip_bad: bool, min_score: float | None) -> "Recording":
    """Read the tracks of a table."""
    if find_spec("pyarrow") is None:
        raise DataError("tracks need pyarrow; install it with `pip install 'trajvq[import]'`")
    from trajvq.data.imports.points import read_tracks

    return read_tracks(ledger, columns, skip_bad, min_score)


def _pieces(
    recording: "Recording", points: int | None, frames: int, ledger: Ledger, free: bool
) -> tuple[list["Track"], list[list["Track"]]]:
    """Return the tracks of which something is used, and the pieces of each.

    Tracks of too few animals for three splits are cut into windows, if the sizes of the splits are ``free``: of as many
    points as a clip has frames, or fewer if that gives too few.
    """
    from trajvq.data.imports.pieces import LEAST_POINTS, cut_tracks

    longest = max(len(track.time) for track in recording.tracks)
    groups = len(set(first_of([track.animal for track in recording.tracks])))
    if points is None and free and groups < FEW_TRACKS and longest >= LONG_TRACK * LEAST_POINTS:
        points = min(longest // LONG_TRACK, frames)
        of_groups = f" of {counted(groups, 'animal')}" if groups < len(recording.tracks) else ""
        ledger.note(
            f"{counted(len(recording.tracks), 'track')}{of_groups} cut into clips of {points} points; see --points"
        )
    tracks, pieces = cut_tracks(recording.tracks, points, ledger)
    ledger.count("track", recording.count)
    if not tracks:
        raise DataError(f"{ledger.path}: no track has enough points in a row; give fewer --points, or fill the gaps")
    return tracks, pieces


def _span(piece: "Track") -> tuple[float, float]:
    """Return the time of the first point, and that of a point after the last one."""
    first, last = float(piece.time[0]), float(piece.time[-1])
    return first, last + (last - first) / (len(piece.time) - 1)


def _doubts(tracks: Sequence["Track"], names: Sequence[str], resting: NDArray[np.bool_], flat: bool) -> Iterator[str]:
    """Yield what was assumed about the paths and the labels."""
    if flat and tracks[0].position.shape[1] == 3:
        yield "z does not change within a track, so tracks are seen from above, in 2-D"
    if resting.any():
        yield f"{counted(int(resting.sum()), 'clip')} moving less than rounding taken as at rest"
    jumping = [(track.name, jumps) for track in tracks if (jumps := count_jumps(track.time, track.position))]
    if jumping:
        yield (
            f"{counted(sum(jumps for _, jumps in jumping), 'jump')} at more than {JUMP} times the usual speed in "
            f"{counted(len(jumping), 'track')}, first in clip {jumping[0][0]}, kept as motion; leave out "
            "rows that are placeholders or errors"
        )
    if len(names) > max(MANY_CLASSES * len(tracks), 2):
        yield f"{len(names)} classes for {len(tracks)} tracks; leave the labels out with --columns label="


def _rows(segments: Segments, counts: Sequence[int]) -> dict[str, NDArray[np.int64]]:
    """Return the numbers of the clips of each split."""
    first = np.cumsum([0, *counts])
    return {
        split: np.concatenate([np.arange(part.start, part.stop) + first[part.video] for part in parts])
        for split, parts in segments.items()
    }


def _take_origin(position: Floats, rows: Mapping[str, NDArray[np.int64]], ledger: Ledger) -> Floats:
    """Return what to subtract from all positions ``(N, T, 3)``, and put it into the manifest's ledger."""
    origins = origins_of(position)
    if origins is None:
        return np.zeros(3)
    alike = origins.ndim == 1
    ledger.details["origin"] = origins.tolist() if alike else {split: origins[k].tolist() for split, k in rows.items()}
    words = f"{', '.join(f'{value:.10g}' for value in origins)}" if alike else "an origin for each clip"
    ledger.note(f"coordinates are large for their motion: positions are stored minus {words}")
    return origins if alike else origins[:, None]
