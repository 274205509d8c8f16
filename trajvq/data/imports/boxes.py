"""Tables of boxes: which columns are their sides, and their centers as points. Those of MOTChallenge have no header."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trajvq.data.imports.cells import decimal_commas, matches, numbers, text
from trajvq.data.imports.columns import NAMES, plain
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.tables import Table
from trajvq.errors import DataError

SIDES = ("left", "top", "width", "height")
MOT = ("frame", "clip", *SIDES, "conf", "", "", "")
MOT_TRUTH = ("frame", "clip", *SIDES, "counts", "label", "visibility")
MOT_COLUMNS = range(7, 11)


def mot_table(table: Table, labels: bool, ledger: Ledger) -> Table | None:
    """Return a table of MOTChallenge with names, and without the boxes that do not count; None if it is another one.

    Args:
        table: The table.
        labels: Whether classes are used as labels.
        ledger: Takes what was detected and left out.

    Raises:
        DataError: If the boxes are in no tracks.
    """
    count, named = len(table.names), not all(map(str.isdecimal, table.names))
    if named or table.above or count not in MOT_COLUMNS or not len(table.rows):
        return None
    frame, clip, _, _, width, height = table.columns[:6]
    whole = all(matches(text(column), r"^-?\d+(\.0*)?$").all() for column in (frame, clip))
    if not whole or min(np.min(numbers(side)[0]) for side in (width, height)) <= 0:
        return None
    if matches(text(clip), r"^-1(\.0*)?$").all():
        raise DataError(f"{ledger.path} has boxes without tracks: each has the number -1; link them into tracks first")
    truth = count == len(MOT_TRUTH)
    ledger.note(
        "no header, read as MOT: frame, id, left, top, width, height; tracks are the centers, y points down"
        + ("; labels are the classes" if truth and labels else "")
    )
    table = replace(table, names=MOT_TRUTH if truth else MOT[:count], header=True)
    if not truth:
        return table
    counts = numbers(table.columns[6])[0] != 0
    ledger.leave_out("row", "marked not to count", int((~counts).sum()))
    columns = tuple(pc.filter(column, pa.array(counts)) for column in table.columns)
    return replace(table, columns=columns, rows=table.rows[counts])


def box_columns(names: Sequence[str], requested: Mapping[str, str]) -> list[int]:
    """Return the columns of left, top, width and height, also called ``bb_left``; none if the user names coordinates.

    Args:
        names: Of the columns.
        requested: See `trajvq.data.imports.columns.columns_named`.
    """
    ends = [(plain(name).split() or [""])[-1] for name in names]
    if not requested.keys().isdisjoint("xyz") or any(ends.count(side) != 1 for side in SIDES):
        return []
    return [ends.index(side) for side in SIDES]


def with_centers(table: Table, box: Sequence[int]) -> Table:
    """Return a table with the centers of its boxes as ``x`` and ``y``, instead of any other coordinates."""
    sides = [table.columns[number] for number in box]
    commas = decimal_commas(sides, table.separator)
    left, top, width, height = (numbers(side, commas)[0] for side in sides)
    others = ("" if any(plain(name) in NAMES[axis] for axis in "xyz") else name for name in table.names)
    centers = (pa.array(left + width / 2), pa.array(top + height / 2))
    return replace(table, names=(*others, "x", "y"), columns=(*table.columns, *centers))
