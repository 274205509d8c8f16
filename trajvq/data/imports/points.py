"""Points become tracks. Everything that cannot be used is named, all at once, or left out on request."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajvq.data.imports.cells import UNLABELED, cell, decimal_commas, is_empty, matches, numbers, text, times
from trajvq.data.imports.labels import Label, parse_labels
from trajvq.data.imports.layouts import Points, points_of
from trajvq.data.imports.notes import NAMED, Ledger
from trajvq.data.imports.plurals import counted
from trajvq.data.imports.sleap import read_sleap
from trajvq.data.imports.tables import read_table
from trajvq.errors import DataError, first_line
from trajvq.io.arrays import Floats

MAX_COORDINATE = 1e12  # beyond it, rounding errors are as large as the path
ONE_POINT = "has one point"
HDF5 = (".h5", ".hdf5")
NO_TRACK = r"(^|/)-1(\.0*)?(/|$)"  # -1 instead of the number of a track


@dataclass(frozen=True)
class Track:
    """One recorded path of P points.

    Attributes:
        name: Of the track, as in the table.
        label: Class id or name, or None.
        time: ``(P,)`` ascending frame numbers or times, from the earliest of the table.
        position: ``(P, 2)`` or ``(P, 3)`` coordinates.
        animal: What it is a part of, at the same time as other tracks; None for a track on its own.
    """

    name: str
    label: Label
    time: Floats
    position: Floats
    animal: str | None = None


class _Faults:
    """What of a table cannot be used, with the reasons."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {}
        self.tracks: dict[str, str] = {}

    def add_rows(self, rows: NDArray[np.int64], where: NDArray[np.bool_], reason: Callable[[int], str]) -> None:
        """Take rows; ``reason`` gets the index of a row and is called for those that a message may name."""
        for number, index in enumerate(np.flatnonzero(where).tolist()):
            self.rows.setdefault(int(rows[index]), reason(index) if number < NAMED else "")

    def words(self) -> str:
        """Return the first rows and tracks, with the reasons, and how many there are."""
        groups = []
        for noun, faults in (
            ("row", {str(row): why for row, why in sorted(self.rows.items())}),
            ("track", self.tracks),
        ):
            if faults:
                first = [
                    f"{'row' if noun == 'row' else 'clip'} {name} {why}" for name, why in list(faults.items())[:NAMED]
                ]
                more = f" and {len(faults) - NAMED:,} more" if len(faults) > NAMED else ""
                groups.append(f"{counted(len(faults), noun)}: {', '.join(first)}{more}")
        if any(" label" in reason for reason in self.tracks.values()):
            groups.append("leave labels out with --columns label=")
        return "; ".join(groups)


@dataclass(frozen=True)
class Recording:
    """The tracks of a table.

    Attributes:
        tracks: Those that can be used.
        rows: Number of rows of the table.
        count: Number of tracks in it, usable or not.
        y_down: Whether y points down; None if the table does not say.
    """

    tracks: list[Track]
    rows: int
    count: int
    y_down: bool | None


def read_tracks(
    ledger: Ledger,
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
    min_score: float | None = None,
) -> Recording:
    """Read the tracks of a table; see `trajvq.data.imports.layouts` for what it may look like.

    Args:
        ledger: Of CSV or other separated text, Parquet, or an analysis file of SLEAP; takes what was detected, found
            and left out.
        columns: Names of columns by role; see `trajvq.data.imports.columns.columns_named`.
        skip_bad: Leave out rows and tracks that cannot be used.
        min_score: Least score of a point; by default 0.6 for DeepLabCut, else none.

    Raises:
        DataError: If the table cannot be read, a column is missing, or, without ``skip_bad``, a row or track cannot
            be used.
    """
    path = ledger.path
    if not path.is_file():
        raise DataError(f"{path} {'is a folder; give one table' if path.is_dir() else 'does not exist'}")
    faults = _Faults()
    try:
        if path.suffix.lower() in HDF5:
            if columns:
                raise DataError(f"{path} has no columns with names, so --columns does not apply; leave it out")
            points = read_sleap(ledger, min_score)
            rows, separator = len(points.rows), ""
        else:
            table = read_table(path)
            rows, separator = len(table.rows) + len(table.bad), table.separator
            for note in table.notes:
                ledger.note(note)
            faults.rows.update(table.bad)
            if not rows:
                raise DataError(f"{path} holds no row")
            points = points_of(table, columns or {}, ledger, min_score)
        tracks = _tracks(points, separator, faults, ledger)
    except pa.ArrowException as error:
        raise DataError(f"{path}: a column holds what is no text and no number ({first_line(error)})") from None
    if not tracks and len(faults.tracks) > 1 and set(faults.tracks.values()) == {ONE_POINT}:
        raise DataError(f"{path}: every clip {ONE_POINT}; name the column of the tracks with --columns clip=NAME")
    if (faults.rows or faults.tracks) and not skip_bad:
        raise DataError(f"{path} has {faults.words()}; fix them, or leave them out with --skip-bad")
    bad_rows = [f"row {row} {reason}".strip() for row, reason in sorted(faults.rows.items())]
    ledger.leave_out("row", "that cannot be used", len(bad_rows), bad_rows)
    bad_tracks = [f"clip {name} {reason}" for name, reason in faults.tracks.items()]
    ledger.leave_out("track", "that cannot be used", len(bad_tracks), bad_tracks)
    ledger.count("row", rows)
    if not tracks:
        raise DataError(f"{path} has no track of two points or more")
    return Recording(tracks, rows, len(tracks) + len(bad_tracks), points.y_down)


def _tracks(points: Points, separator: str, faults: _Faults, ledger: Ledger) -> list[Track]:
    """Return the tracks that can be used, in the order of their names."""
    outside = is_empty(points.clip) | matches(points.clip, NO_TRACK)
    if points.unlinked:
        ledger.leave_out("row", "in no track", int(outside.sum()))
        points, outside = points.select(~outside), outside[~outside]
    if not len(points.rows):
        return []
    commas = decimal_commas([points.frame, *points.axes.values()], separator)
    if commas:
        ledger.note("numbers have decimal commas")
    faults.add_rows(points.rows, outside, lambda index: _quoting("is in no clip", points.clip[index].as_py()))
    try:
        time, no_time = times(points.frame, commas)
        values = {axis: numbers(column, commas) for axis, column in points.axes.items()}
    except pa.ArrowException as error:
        types = ", ".join(f"{name} {column.type}" for name, column in {"frame": points.frame, **points.axes}.items())
        raise DataError(f"{ledger.path}: columns hold no numbers ({types}; {first_line(error)})") from None
    if "z" in values and np.isnan(values["z"][0]).all() and not values["z"][1].any():
        del values["z"]
        ledger.note("column z is empty and not used")
    good = ~outside
    cells = {"frame": points.frame, **points.axes}
    for name, (numbers_of, bad) in {"frame": (time, no_time), **values}.items():
        if name == "frame" and no_time.all():
            raise DataError(
                f"{ledger.path}: no row has a frame that is a number, a date as 2026-03-20T10:00:00.040 or a time as "
                f"00:00:00.040; the first has {cell(points.frame, 0)[:40]!r}"
            )
        wrong = bad | ~(np.abs(numbers_of) < (np.inf if name == "frame" else MAX_COORDINATE))
        faults.add_rows(points.rows, wrong, _reason(name, cells[name]))
        good &= ~wrong
    position = np.stack([numbers_of for numbers_of, _ in values.values()], axis=-1)
    kept = np.flatnonzero(good)
    if not len(kept):
        return []
    return _grouped(points.select(kept), time[kept], position[kept], faults, ledger)


def _reason(name: str, column: Any) -> Callable[[int], str]:
    """Return what says why the cell of a row is no coordinate."""

    def reason(index: int) -> str:
        value = cell(column, index)
        if not value:
            return f"has an empty {name}"
        large = name != "frame" and abs(numbers(column[index : index + 1])[0][0]) >= MAX_COORDINATE
        return f"has {name} {value[:40]}" + (f", which is beyond {MAX_COORDINATE:g}" if large else "")

    return reason


def _quoting(reason: str, value: str) -> str:
    return reason + (f" ({value[:40]})" if value else "")


def _grouped(points: Points, time: Floats, position: Floats, faults: _Faults, ledger: Ledger) -> list[Track]:
    """Return the points of each track in the order of time; points are all good."""
    coded = points.clip.dictionary_encode()
    names = coded.dictionary.to_pylist()
    if all(re.fullmatch(r"0|[1-9]\d*", name) for name in names):
        ascending = sorted(range(len(names)), key=lambda code: int(names[code]))
    else:
        ascending = sorted(range(len(names)), key=lambda code: names[code])
    rank = np.empty(len(names), dtype=np.int64)
    rank[ascending] = np.arange(len(names))
    track = rank[coded.indices.to_numpy()]
    if len(names) > 1 and (position == position[0]).all():
        raise DataError(
            f"{ledger.path}: every track stands at {', '.join(f'{value:g}' for value in position[0])}; name others "
            "with --columns x=NAME,y=NAME"
        )
    order = np.lexsort((time, track))
    labels = None if points.label is None else np.array(text(points.label).to_pylist(), dtype=object)
    if labels is not None and all(label.lower() in UNLABELED for label in labels):
        labels = None
        ledger.note("column label is empty and not used")
    tracks: list[Track] = []
    words: list[str] = []
    copies = 0
    for code, rows in zip(ascending, np.split(order, np.flatnonzero(np.diff(track[order])) + 1), strict=True):
        own = set() if labels is None else set(labels[rows].tolist())
        same = np.append(False, (np.diff(time[rows]) == 0) & (np.diff(position[rows], axis=0) == 0).all(axis=1))
        rows, copies = rows[~same], copies + int(same.sum())
        again = np.flatnonzero(np.diff(time[rows]) <= 0)
        if len(rows) < 2:
            faults.tracks[names[code]] = ONE_POINT
        elif len(again):
            faults.tracks[names[code]] = f"has frame {cell(points.frame, int(rows[again[0]]))} twice"
        elif own and all(label.lower() in UNLABELED for label in own):
            faults.tracks[names[code]] = _quoting("has no label", min(own))
        elif len(own) > 1:
            faults.tracks[names[code]] = f"has several labels: {', '.join(sorted(own)[:3])}"
        else:
            tracks.append(Track(names[code], None, time[rows], position[rows], animal=points.animals.get(names[code])))
            words += own
    ledger.leave_out("row", "that repeat another", copies)
    if labels is None:
        return tracks
    return [replace(track, label=label) for track, label in zip(tracks, parse_labels(words), strict=True)]
