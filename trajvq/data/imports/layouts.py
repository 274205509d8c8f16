"""Tables of other programs: which row is which point of which track.

| layout | rows | tracks |
|---|---|---|
| one point a row | columns for clip, frame, x and y, of any name; TrackMate, trackpy | as the table says |
| DeepLabCut | a frame; header of several rows | each body part of each animal |
| x and y of several points a row, ``head.x, head.y, ...`` | a frame (of an animal); SLEAP, Anipose | each point |
| MOT | a box: frame, id, left, top, width, height, ... without a header | the centers of the boxes |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajvq.data.imports.cells import Column, is_empty, matches, numbers, text
from trajvq.data.imports.columns import NEEDED, animal_columns, columns_named, missing_columns, plain
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.point_columns import PointColumns, are_corners, paired_columns
from trajvq.data.imports.scores import SCORES, are_low, no_scores, score_column, sure_rows
from trajvq.data.imports.tables import Table
from trajvq.errors import DataError

DLC_HEADER = ("scorer", "individuals", "bodyparts", "coords")
DLC_SCORE = 0.6  # DeepLabCut's own `pcutoff`
HEADER_ROWS = 5  # most rows under a header that have names and units
LIKE_LABELS = ("class", "class id", "class name", "labels", "category", "species", "behavior", "behaviour", "target")
MOT_COLUMNS = range(6, 11)
MOT_SCORE = 6  # number of the column, from 0
MOT_TRUTH = 9  # columns of ground truth: the seventh says whether a box counts, the eighth is its class


@dataclass(frozen=True)
class Points:
    """N points.

    Attributes:
        clip: ``(N,)`` text: the track of each point; empty if it is in none.
        frame: N numbers or dates.
        axes: N numbers by ``x``, ``y`` and perhaps ``z``.
        rows: ``(N,)`` numbers of their rows, from 1 under the header.
        label: N cells, or None.
        score: N cells that say how sure the points are, or None.
        y_down: Whether y points down in this layout; None if it does not say.
        unlinked: Whether points without a track are usual.
        animals: The animal of each track, where tracks are parts of one.
    """

    clip: Any
    frame: Column
    axes: Mapping[str, Column]
    rows: NDArray[np.int64]
    label: Column | None = None
    score: Column | None = None
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
            score=None if self.score is None else pick(self.score, chosen),
        )


def points_of(
    table: Table, path: Path, requested: Mapping[str, str], ledger: Ledger, min_score: float | None = None
) -> Points:
    """Detect the layout of a table and return its points.

    Args:
        table: The table.
        path: Its file, for messages.
        requested: Names of columns by role, see `trajvq.data.imports.columns.columns_named`.
        ledger: Takes what was detected and left out.
        min_score: Least score of a point; by default 0.6 for DeepLabCut, else none.

    Raises:
        DataError: If the layout is not known, or there is a least score and no score.
    """
    if not requested and table.header and table.names[0].lower() in DLC_HEADER:
        return _deeplabcut(table, path, ledger, min_score)
    if not requested and not table.header and len(table.names) in MOT_COLUMNS and len(table.rows):
        points = _mot(table, path, ledger)
        return points if min_score is None else points.select(sure_rows(points.score, min_score, table, ledger))
    chosen = columns_named(table.names, requested, path, table.header)
    for number in (number for numbers_of in chosen.values() for number in numbers_of):
        if pa.types.is_nested(table.columns[number].type):
            kind = table.columns[number].type
            raise DataError(f"{path}: column {table.names[number]!r} holds {kind}, not numbers or words")
    series = [] if "x" in chosen and "y" in chosen else paired_columns(table.names)
    if [one.name for one in series] in (["0", "1"], ["1", "2"]) and are_corners(table, series):
        raise DataError(
            f"{path}: columns {', '.join(table.names[number] for one in series for number in one.axes.values())} look "
            "like corners of boxes; give a table with the centers as x and y"
        )
    if series and "frame" in chosen:
        table = _without_units(table, [chosen["frame"][0], *series[0].axes.values()], ledger)
        animal = text(table.columns[chosen["clip"][0]]) if "clip" in chosen else None
        ledger.note(f"points: {', '.join(one.name for one in series)}; each is a track, y points down")
        return _melted(table, series, animal, table.columns[chosen["frame"][0]], ledger, min_score)
    if any(role not in chosen and requested.get(role) != "" for role in NEEDED):
        raise missing_columns(table.names, chosen, path, table.header)
    table = _without_units(table, [chosen[role][0] for role in ("frame", "x", "y")], ledger)
    points = _long(table, chosen, requested, ledger)
    return points if min_score is None else points.select(sure_rows(points.score, min_score, table, ledger))


def _long(table: Table, chosen: Mapping[str, Sequence[int]], requested: Mapping[str, str], ledger: Ledger) -> Points:
    """Return the points of a table with one point a row."""
    if "clip" not in chosen:
        ledger.note("all rows are one track")
    animal = animal_columns(table.names, chosen, requested)
    chosen = {role: numbers_of for role, numbers_of in {**chosen, "animal": animal}.items() if numbers_of}
    names = {role: "+".join(table.names[k] for k in numbers_of) for role, numbers_of in chosen.items()}
    clip = plain(names.get("clip", ""))
    trackmate = clip == "track id" and plain(names["x"]) == "position x"
    pixels = trackmate or clip == "particle"
    if trackmate and "label" not in requested:  # there, it is the name of a spot
        names.pop("label", None)
    if any(name.lower() != role for role, name in names.items()):
        ledger.note("columns: " + ", ".join(f"{role}={name}" for role, name in names.items()))
    if pixels:
        ledger.note(f"as {'TrackMate' if trackmate else 'trackpy'} writes it: y points down")
    likely = [name for name in table.names if plain(name) in LIKE_LABELS and name not in names.values()]
    if "label" not in names and "label" not in requested and likely:
        ledger.note(f"no labels; if column {likely[0]} has them, give --columns label={likely[0]}")
    tracks = _joined(table, chosen["clip"]) if "clip" in chosen else pa.array(["all"] * len(table.rows))
    columns = {role: table.columns[numbers_of[0]] for role, numbers_of in chosen.items()}
    score = score_column(table.names)
    return Points(
        tracks,
        columns["frame"],
        {axis: columns[axis] for axis in "xyz" if axis in columns},
        table.rows,
        columns["label"] if "label" in names else None,
        None if score is None else table.columns[score],
        True if pixels else None,
        trackmate,
        _animals_of(tracks, _joined(table, animal)) if animal else {},
    )


def _joined(table: Table, columns: Sequence[int]) -> Any:
    """Return the text of the columns, with ``/`` between them."""
    parts = [text(table.columns[number]) for number in columns]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "/")


def _animals_of(tracks: Any, animals: Any) -> dict[str, str]:
    """Return the animal of each track, that of its first row, where it is not empty."""
    first = pa.array(np.unique(tracks.dictionary_encode().indices.to_numpy(), return_index=True)[1])
    pairs = zip(pc.take(tracks, first).to_pylist(), pc.take(animals, first).to_pylist(), strict=True)
    return {track: animal for track, animal in pairs if animal}


def _without_units(table: Table, columns: Sequence[int], ledger: Ledger) -> Table:
    """Leave out rows right under the header that have names or units in all columns that should have numbers."""
    heads = [text(table.columns[number][:HEADER_ROWS]) for number in columns]
    words = np.all([~matches(head, r"\d") for head in heads], axis=0) & ~np.all([is_empty(h) for h in heads], axis=0)
    count = int(np.argmin([*words, False]))
    ledger.leave_out("row", "with names and units", count)
    return replace(table, columns=tuple(column[count:] for column in table.columns), rows=table.rows[count:])


def _deeplabcut(table: Table, path: Path, ledger: Ledger, min_score: float | None) -> Points:
    """Return the points of a table of DeepLabCut: header rows scorer, individuals (perhaps), bodyparts and coords."""
    header = {table.names[0].lower(): list(table.names)}
    count = 0
    for count in range(min(len(DLC_HEADER), len(table.rows))):
        cells = [text(column[count : count + 1])[0].as_py() for column in table.columns]
        if cells[0].lower() not in DLC_HEADER:
            break
        header[cells[0].lower()] = cells
    if not {"bodyparts", "coords"} <= header.keys():
        raise DataError(f"{path} has no rows 'bodyparts' and 'coords', as DeepLabCut writes them; export it again")
    series: dict[str, PointColumns] = {}
    for number, (part, axis) in enumerate(zip(header["bodyparts"], header["coords"], strict=True)):
        animal = header["individuals"][number] if "individuals" in header else ""
        name = "/".join(filter(None, (animal, part)))
        if number and axis.lower() in ("x", "y", "z"):
            series.setdefault(name, PointColumns(name, animal=animal)).axes[axis.lower()] = number
        elif number and axis.lower() in SCORES:
            series[name] = replace(series.get(name, PointColumns(name, animal=animal)), score=number)
    if not series or any(not {"x", "y"} <= one.axes.keys() for one in series.values()):
        raise DataError(f"{path} lacks coordinates x and y of body parts, as DeepLabCut writes them; export it again")
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
        clip = names if animal is None else pc.binary_join_element_wise(animal, names, "/")
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


def _mot(table: Table, path: Path, ledger: Ledger) -> Points:
    """Return the centers of the boxes of a table of MOTChallenge."""
    frame, clip, left, top, width, height = table.columns[:6]
    sizes = numbers(width)[0], numbers(height)[0]
    if (
        not all(matches(text(column), r"^-?\d+(\.0*)?$").all() for column in (frame, clip))
        or min(map(np.min, sizes)) <= 0
    ):
        raise missing_columns(table.names, {}, path, False)
    if matches(text(clip), r"^-1(\.0*)?$").all():
        raise DataError(f"{path} has boxes without tracks: each has the number -1; link them into tracks first")
    counts = np.ones(len(table.rows), dtype=bool)
    label = None
    if len(table.names) == MOT_TRUTH:
        counts, label = numbers(table.columns[6])[0] != 0, table.columns[7]
        ledger.leave_out("row", "marked not to count", int((~counts).sum()))
    centers = {"x": numbers(left)[0] + sizes[0] / 2, "y": numbers(top)[0] + sizes[1] / 2}
    ledger.note(
        "no header, read as MOT: frame, id, left, top, width, height; tracks are the centers, y points down"
        + ("; labels are the classes" if label is not None else "")
    )
    axes = {axis: pa.array(values) for axis, values in centers.items()}
    score = table.columns[MOT_SCORE] if MOT_SCORE < len(table.names) != MOT_TRUTH else None
    return Points(text(clip), frame, axes, table.rows, label, score, True).select(counts)
