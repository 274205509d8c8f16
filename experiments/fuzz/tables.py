"""Damage tables of several programs at random, and import them.

    python experiments/fuzz/tables.py [--count 100] [--seed 0] [--keep DIR]

A table is cut, has bytes flipped, cells or rows exchanged, columns shuffled, or another header. Each must be imported,
or be refused in one line: without a traceback, without leaving a part of a dataset, in less than 2 GB of memory.
"""

import io
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import trial
from pyarrow import parquet

import trajvq.data.imports.points
import trajvq.data.imports.tracks  # noqa: F401  # once, before the processes of the trials branch off

COMMAND = ("data", "import-tracks", "--size=16", "--frames=4")
HEADERS = ["", "clip,frame,x,y", "x,x,x,x,x", "\ufeff" * 9, "sep=,", "#", "1,2,3,4", "a" * 100_000, '"', "scorer,x,y,z"]
CELLS = ["", "NaN", "inf", "-1e400", "9" * 400, '"', "\x00", ",", "1,5", "\u2212", "2026-13-45", "=1+1", "None", "'"]


def points(rng: np.random.Generator) -> list[list[str]]:
    """Return rows of clip, frame, x, y and label of six tracks of eight points."""
    paths = rng.normal(0, 30, (6, 8, 2)).cumsum(axis=1) + 100
    return [
        [str(c), str(f), f"{x:.3f}", f"{y:.3f}", "ab"[c % 2]] for c in range(6) for f, (x, y) in enumerate(paths[c])
    ]


def plain(rng: np.random.Generator) -> list[list[str]]:
    """Return a table with one point a row."""
    return [["clip", "frame", "x", "y", "label"], *points(rng)]


def trackmate(rng: np.random.Generator) -> list[list[str]]:
    """Return spots of TrackMate."""
    names = ["LABEL", "ID", "TRACK_ID", "POSITION_X", "POSITION_Y", "FRAME"]
    units = ["", "", "", "(micron)", "(micron)", ""]
    return [names, names, units, *([f"ID{k}", str(k), c, x, y, f] for k, (c, f, x, y, _) in enumerate(points(rng)))]


def deeplabcut(rng: np.random.Generator) -> list[list[str]]:
    """Return predictions of DeepLabCut."""
    header = [
        ["scorer", *["net"] * 6],
        ["bodyparts", *["head"] * 3, *["tail"] * 3],
        ["coords", *["x", "y", "likelihood"] * 2],
    ]
    return header + [[str(f), *(f"{value:.2f}" for value in rng.random(6))] for f in range(40)]


def mot(rng: np.random.Generator) -> list[list[str]]:
    """Return boxes of MOTChallenge."""
    return [[f, c, x, y, "30", "60", "1", "-1", "-1", "-1"] for c, f, x, y, _ in points(rng)]


def table(rng: np.random.Generator) -> bytes:
    """Return a table in one of the layouts, perhaps with damaged cells, as text in one of several dialects."""
    rows = (plain, trackmate, deeplabcut, mot)[int(rng.integers(4))](rng)
    for _ in range(int(rng.integers(4))):
        damage_cells(rows, rng)
    if rng.random() < 0.2:
        rows[0] = [str(rng.choice(HEADERS))]
    text = "\n".join(str(rng.choice([",", ",", ";", "\t", " "])).join(row) for row in rows)
    return text.encode(str(rng.choice(["utf-8", "utf-8", "utf-16", "utf-16-be", "utf-8-sig"])))


def damage_cells(rows: list[list[str]], rng: np.random.Generator) -> None:
    """Exchange columns, rows or cells of a table, or drop and repeat some."""
    row = int(rng.integers(len(rows)))
    column = int(rng.integers(len(rows[row])))
    change = int(rng.integers(5))
    if change == 0:
        order = rng.permutation(len(rows[row]))
        rows[:] = [[cells[k] for k in order if k < len(cells)] for cells in rows]
    elif change == 1:
        rows[row][column] = str(rng.choice(CELLS))
    elif change == 2:
        rows[row][column:] = []
        rows[row] = rows[row] or [""]
    elif change == 3:
        rows[:] = [rows[k] for k in rng.permutation(len(rows))]
    else:
        rows[row:row] = [list(rows[row]) for _ in range(int(rng.integers(5)))]


def stored(rng: np.random.Generator) -> bytes:
    """Return a table as Parquet, with one column of another type."""
    names, *rows = plain(rng)
    columns = {name: pa.array([row[k] for row in rows]) for k, name in enumerate(names)}
    types = [pa.list_(pa.string()), pa.null(), pa.dictionary(pa.int32(), pa.string()), pa.binary(), pa.float64()]
    chosen = types[int(rng.integers(len(types)))]
    name = str(rng.choice(names))
    if pa.types.is_list(chosen):
        columns[name] = pa.array([[row[0]] for row in rows])
    elif pa.types.is_null(chosen):
        columns[name] = pa.nulls(len(rows))
    elif name != "label":
        columns[name] = columns[name].cast(chosen)
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


def cut(raw: bytes, rng: np.random.Generator) -> bytes:
    """Return the beginning."""
    return raw[: int(rng.integers(len(raw)))]


def flip(raw: bytes, rng: np.random.Generator) -> bytes:
    """Return the content with some bytes changed."""
    content = bytearray(raw)
    for position in rng.integers(len(content), size=int(rng.integers(1, 30))).tolist():
        content[position] = int(rng.integers(256))
    return bytes(content)


def unchanged(raw: bytes, _: np.random.Generator) -> bytes:
    """Return the content."""
    return raw


def damaged(seed: int) -> tuple[str, bytes]:
    """Return the ending and the content of a damaged table."""
    rng = np.random.default_rng(seed)
    kinds: dict[str, Callable[[np.random.Generator], bytes]] = {"csv": table, "txt": table, "parquet": stored}
    ending = str(rng.choice(["csv", "csv", "txt", "parquet"]))
    change = (cut, flip, unchanged, unchanged)[int(rng.integers(4))]
    return ending, change(kinds[ending](rng), rng)


if __name__ == "__main__":
    raise SystemExit(trial.run_script(__doc__, COMMAND, damaged))
