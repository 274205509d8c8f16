"""Tables of other programs: which row is which point of which track.

| layout | rows | tracks |
|---|---|---|
| one point a row | columns for clip, frame, x and y, of any name; TrackMate, trackpy | as the table says |
| DeepLabCut | a frame; header of several rows | each body part of each animal |
| x and y of several points a row, ``head.x, head.y, ...`` | a frame (of an animal); SLEAP, Anipose | each point |
| boxes | left, top, width and height; MOT, also without a header | the centers of the boxes |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajvq.data.imports.boxes import box_columns, mot_table, with_centers
from trajvq.data.imports.cells import DATE, DAY, EMPTY, TIME_OF_DAY, Column, all_match, cell, is_empty, matches, text
from trajvq.data.imports.columns import NEEDED, SCORES, animal_columns, columns_named, missing_columns, plain
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.point_columns import PointColumns, are_corners, paired_columns
from trajvq.data.imports.scores import are_low, no_scores, sure_rows
from trajvq.data.imports.tables import Table
from trajvq.errors import DataError

DLC_HEADER = ("scorer", "individuals", "bodyparts", "coords")
DLC_SCORE = 0.6  # DeepLabCut's own `pcutoff`
HEADER_ROWS = 5  # most rows under a header that have names and units
LIKE_LABELS = ("class", "class id", "class name", "labels", "category", "species", "behavior", "behaviour", "target")
CORNERS = ({"x", "y", "w", "h"}, {"x", "y", "width", "height"})  # names of columns where x and y may be corners


@dataclass(frozen=True)
class Points:
    """N points.

    Attributes:
        clip: ``(N,)`` text: the track of each point; empty if it is in none.
        frame: N numbers or dates.
        axes: N numbers by ``x``, ``y`` and perhaps ``z``.
        rows: ``(N,)`` numbers of their rows, from 1 under the header.
        label: N cells, or None.
        y_down: Whether y points down in this layout; None if it does not say.
        unlinked: Whether points without a track are usual.
        animals: The animal of each track, where tracks are parts of one.
    """

    clip: Any
    frame: Column
    axes: Mapping[str, Column]
    rows: NDArray[np.int64]
    label: Column | None = None
    y_down: bool | None = None
    unlinked: bool = False
    animals: Mapping[str, str] = field(default_factory=dict)

    def select(self, rows: NDArray[Any]) -> "Points":
        """Return some of the points, by a mask or their indices."""
        chosen = pa.array(rows)
        pick = pc.filter if rows.dtype == bool else pc.take
        return replace(
            self,
            clip=pick(self.clip, chosen),
            frame=pick(self.frame, chosen),
            axes={name: pick(column, chosen) for name, column in self.axes.items()},
            rows=self.rows[rows],
            label=None if self.label is None else pick(self.label, chosen),
        )


def points_of(table: Table, requested: Mapping[str, str], ledger: Ledger, min_score: float | None = None) -> Points:
    """Detect the layout of a table and return its points.

    Args:
        table: The table.
        requested: Names of columns by role, see `trajvq.data.imports.columns.columns_named`.
        ledger: Of its file; takes what was detected and left out.
        min_score: Least score of a point; by default 0.6 for DeepLabCut, else none.

    Raises:
        DataError: If the layout is not known, or there is a least score and no score.
    """
    detected = dict(requested) in ({}, {"label": ""})
    if detected and table.header and table.names[0].lower() in DLC_HEADER:
        return _deeplabcut(table, ledger, min_score)
    mot = mot_table(table, not requested, ledger) if detected else None
    table = mot or table
    box = box_columns(table.names, requested)
    if box and not mot:
        names = ", ".join(table.names[number] for number in box)
        ledger.note(f"boxes: {names}; x and y are their centers, y points down")
    table = with_centers(table, box) if box else table
    chosen = columns_named(table.names, requested, ledger.path, table.header)
    for number in (number for numbers_of in chosen.values() for number in numbers_of):
        if pa.types.is_nested(table.columns[number].type):
            kind = table.columns[number].type
            raise DataError(f"{ledger.path}: column {table.names[number]!r} holds {kind}, not numbers or words")
    series = [] if "x" in chosen and "y" in chosen else paired_columns(table.names)
    if [one.name for one in series] in (["0", "1"], ["1", "2"]) and are_corners(table, series):
        corners = ", ".join(table.names[number] for one in series for number in one.axes.values())
        raise DataError(
            f"{ledger.path}: columns {corners} look like corners of boxes; give a table with the centers as x and y"
        )
    if series and "frame" in chosen:
        table = _without_units(table, [chosen["frame"][0], *series[0].axes.values()], ledger)
        animal = _joined(table, chosen["clip"]) if "clip" in chosen else None
        ledger.note(f"points: {', '.join(one.name for one in series)}; each is a track, y points down")
        frame = _frame(table, chosen, requested, ledger)
        return _melted(table, series, animal, frame, ledger, min_score)
    if any(role not in chosen and role not in requested for role in NEEDED):
        raise missing_columns(table, chosen, requested, ledger.path)
    table = _without_units(table, [chosen[role][0] for role in ("frame", "x", "y")], ledger)
    points = _long(table, chosen, requested, ledger, bool(box))
    return points if min_score is None else points.select(sure_rows(table, min_score, ledger))


def _long(
    table: Table, chosen: Mapping[str, Sequence[int]], requested: Mapping[str, str], ledger: Ledger, boxes: bool
) -> Points:
    """Return the points of a table with one point a row, which may be those of boxes."""
    if "clip" not in chosen:
        ledger.note("all rows are one track")
    animal = animal_columns(table.names, chosen, requested)
    chosen = {role: numbers_of for role, numbers_of in {**chosen, "animal": animal}.items() if numbers_of}
    names = {role: "+".join(table.names[k] for k in numbers_of) for role, numbers_of in chosen.items()}
    clip = plain(names.get("clip", ""))
    trackmate = clip == "track id" and plain(names["x"]) == "position x"
    pixels = boxes or trackmate or clip == "particle"
    if trackmate and "label" not in requested:  # there, it is the name of a spot
        names.pop("label", None)
    if any(name.lower() != role for role, name in names.items()):
        ledger.note("columns: " + ", ".join(f"{role}={name}" for role, name in names.items()))
    if pixels and not boxes:
        ledger.note(f"as {'TrackMate' if trackmate else 'trackpy'} writes it: y points down")
    likely = [name for name in table.names if plain(name) in LIKE_LABELS and name not in names.values()]
    if "label" not in names and "label" not in requested and likely:
        ledger.note(f"no labels; if column {likely[0]} has them, give --columns label={likely[0]}")
    called = {plain(name) for name in table.names}
    if not boxes and plain(names["x"]) == "x" and any(corners <= called for corners in CORNERS):
        ledger.note("x and y may be corners of boxes, as there are widths and heights; if so, give the centers")
    tracks = _joined(table, chosen["clip"]) if "clip" in chosen else pa.array(["all"] * len(table.rows))
    columns = {role: table.columns[numbers_of[0]] for role, numbers_of in chosen.items()}
    return Points(
        tracks,
        _frame(table, chosen, requested, ledger),
        {axis: columns[axis] for axis in "xyz" if axis in columns},
        table.rows,
        columns["label"] if "label" in names else None,
        True if pixels else None,
        trackmate,
        _animals_of(tracks, _joined(table, animal)) if animal else {},
    )


def _joined(table: Table, columns: Sequence[int], separator: str = "/") -> Any:
    """Return the text of the columns, with a separator between them; nothing where one of several is empty."""
    parts = [text(table.columns[number]) for number in columns]
    if len(parts) == 1:
        return parts[0]
    empty = np.any([is_empty(part) for part in parts], axis=0)
    return pc.if_else(pa.array(empty), "", pc.binary_join_element_wise(*parts, separator))


def _frame(table: Table, chosen: Mapping[str, Sequence[int]], requested: Mapping[str, str], ledger: Ledger) -> Column:
    """Return the frames or times of the rows. A time of day gets the date that is in another column.

    Raises:
        DataError: If there are several such columns, or one and the time together are no date as in ISO 8601.
    """
    numbers_of = chosen["frame"]
    if "frame" not in requested and all_match(table.columns[numbers_of[0]], TIME_OF_DAY):
        used = {number for other in chosen.values() for number in other}
        days = [k for k, column in enumerate(table.columns) if k not in used and all_match(column, DAY)]
        if days:
            day, time = table.names[days[0]], table.names[numbers_of[0]]
            numbers_of = [days[0], *numbers_of]
            if len(days) > 1 or not all_match(_joined(table, numbers_of, " "), DATE):
                raise DataError(
                    f"{ledger.path}: {time!r} is a time of day, and {day!r} may be its date; give one column with both "
                    f"as 2026-03-20T10:00:00.040, or --columns frame={time} for the time alone"
                )
            ledger.note(f"frame is {day} and {time} together")
    return table.columns[numbers_of[0]] if len(numbers_of) == 1 else _joined(table, numbers_of, " ")


def _animals_of(tracks: Any, animals: Any) -> dict[str, str]:
    """Return the animal of each track, that of its first row, where it is not empty."""
    first = pa.array(np.unique(tracks.dictionary_encode().indices.to_numpy(), return_index=True)[1])
    pairs = zip(pc.take(tracks, first).to_pylist(), pc.take(animals, first).to_pylist(), strict=True)
    return {track: animal for track, animal in pairs if animal.lower() not in EMPTY}


def _without_units(table: Table, columns: Sequence[int], ledger: Ledger) -> Table:
    """Leave out rows right under the header that have names or units in all columns that should have numbers."""
    heads = [text(table.columns[number][:HEADER_ROWS]) for number in columns]
    words = np.all([~matches(head, r"\d") for head in heads], axis=0) & ~np.all([is_empty(h) for h in heads], axis=0)
    count = int(np.argmin([*words, False]))
    ledger.leave_out("row", "with names and units", count)
    return replace(table, columns=tuple(column[count:] for column in table.columns), rows=table.rows[count:])


def _deeplabcut(table: Table, ledger: Ledger, min_score: float | None) -> Points:
    """Return the points of a table of DeepLabCut: header rows scorer, individuals (perhaps), bodyparts and coords."""
    header = {table.names[0].lower(): list(table.names)}
    count = 0
    for count in range(min(len(DLC_HEADER), len(table.rows))):
        cells = [cell(column, count) for column in table.columns]
        if cells[0].lower() not in DLC_HEADER:
            break
        header[cells[0].lower()] = cells
    if not {"bodyparts", "coords"} <= header.keys():
        raise DataError(
            f"{ledger.path} has no rows 'bodyparts' and 'coords', as DeepLabCut writes them; export it again"
        )
    series: dict[str, PointColumns] = {}
    for number, (part, axis) in enumerate(zip(header["bodyparts"], header["coords"], strict=True)):
        animal = header["individuals"][number] if "individuals" in header else ""
        name = "/".join(filter(None, (animal, part)))
        if number and axis.lower() in ("x", "y", "z"):
            series.setdefault(name, PointColumns(name, animal=animal)).axes[axis.lower()] = number
        elif number and axis.lower() in SCORES:
            series[name] = replace(series.get(name, PointColumns(name, animal=animal)), score=number)
    if not series or any(not {"x", "y"} <= one.axes.keys() for one in series.values()):
        raise DataError(
            f"{ledger.path} lacks coordinates x and y of body parts, as DeepLabCut writes them; export it again"
        )
    table = replace(table, columns=tuple(column[count:] for column in table.columns), rows=table.rows[count:])
    ledger.note(f"as DeepLabCut writes it: tracks are {', '.join(series)}; y points down")
    if min_score is None and any(one.score is not None for one in series.values()):
        min_score = DLC_SCORE
    return _melted(table, list(series.values()), None, table.columns[0], ledger, min_score)


def _melted(
    table: Table, series: Sequence[PointColumns], animal: Any, frame: Column, ledger: Ledger, min_score: float | None
) -> Points:
    """Return a table of several points a row as points, without those that were not seen."""
    if min_score is not None and all(one.score is None for one in series):
        raise no_scores(ledger.path)
    nameless = None if animal is None else is_empty(animal)
    if nameless is not None and nameless.all():  # a single animal, as SLEAP writes it
        animal = None
    depth = all("z" in one.axes for one in series)
    unseen = unsure = 0
    parts, animals = [], {}
    for one in series:
        axes = {axis: table.columns[one.axes[axis]] for axis in ("xyz" if depth else "xy")}
        empty = np.any([is_empty(text(column)) for column in axes.values()], axis=0)
        unseen += int(empty.sum())
        if min_score is not None and one.score is not None:
            low = are_low(table.columns[one.score], min_score, table, ledger)
            unsure += int((low & ~empty).sum())
            empty |= low
        names = pa.array([one.name] * len(table.rows), pa.string())
        clip = names
        if animal is not None:
            clip = pc.if_else(pa.array(nameless), "", pc.binary_join_element_wise(animal, names, "/"))
        if empty.all():
            ledger.note(f"no track of {one.name}: it is never seen" + (", or never surely" if unsure else ""))
        for value in [""] if animal is None else pc.unique(animal).to_pylist():
            animals["/".join(filter(None, (value, one.name)))] = "/".join(filter(None, (value, one.animal)))
        parts.append(Points(clip, frame, axes, table.rows).select(~empty))
    ledger.leave_out("point", "not seen", unseen)
    ledger.leave_out("point", f"with a score below {min_score}", unsure)
    ledger.count("point", len(series) * len(table.rows))
    return Points(
        pa.concat_arrays([text(part.clip) for part in parts]),
        pa.concat_arrays([text(part.frame) for part in parts]),
        {axis: pa.concat_arrays([text(part.axes[axis]) for part in parts]) for axis in parts[0].axes},
        np.concatenate([part.rows for part in parts]),
        y_down=True,
        animals=animals,
    )
