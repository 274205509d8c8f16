"""Scoreboards of one run or of many as one table each: trivial rows once, then a row for every run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trajvq.metrics.intervals import Interval, paired_difference
from trajvq.metrics.scoreboard import value_of
from trajvq.report.meanings import MEANINGS
from trajvq.report.runs import RunRecord
from trajvq.report.table import BELOW, COLUMNS


@dataclass(frozen=True)
class Cell:
    """A figure as it is shown."""

    figure: str
    value: float | None
    text: str
    interval: str
    best: bool


@dataclass
class Board:
    """A table of the report.

    Attributes:
        task: Such as ``recon``.
        split: Such as ``test``.
        clips: Scored.
        truth: ``stored``, ``tracked`` or ``judged``.
        data: Path of the dataset, where runs are of several.
        columns: Figures.
        rows: Name, whether it is a model's, and its cells.
        notes: Figures of the models that no trivial row has.
        classes: Figures by class: title, classes, and a row of texts for each row.
        confusions: Title, classes and shares, counts for each row of classes.
        horizons: Errors by frame of every row, where there are some.
        differences: Of every run from the first, clip by clip.
    """

    task: str
    split: str
    clips: int
    truth: str
    data: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[tuple[str, bool, list[Cell]]] = field(default_factory=list)
    notes: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    classes: list[tuple[str, list[str], list[tuple[str, list[str]]]]] = field(default_factory=list)
    confusions: list[tuple[str, list[str], list[str], list[list[tuple[int, float]]]]] = field(default_factory=list)
    horizons: dict[str, list[float]] = field(default_factory=dict)
    differences: list[tuple[str, str, Interval]] = field(default_factory=list)


def merge(runs: Sequence[RunRecord]) -> list[Board]:
    """Return a table for every task, dataset and split that some run was scored on, in the order of the runs.

    Scoreboards that do not say what dataset they are of, such as those of `trajvq score`, go with the first one's.
    """
    known = {run.dataset["sha256"]: run.dataset["path"] for run in runs if run.dataset}
    first = next(iter(known), "")
    groups: dict[tuple[str, str, str], list[RunRecord]] = {}
    for run in runs:
        for split in run.boards:
            groups.setdefault((run.task, split, run.dataset["sha256"] if run.dataset else first), []).append(run)
    boards = [_merged(task, split, held) for (task, split, _), held in groups.items()]
    if len(known) > 1:
        for board, (_, _, sha256) in zip(boards, groups, strict=True):
            board.data = known[sha256]
    return boards


def _merged(task: str, split: str, runs: list[RunRecord]) -> Board:
    first = runs[0].boards[split]
    board = Board(task, split, first["clips"], first["truth"])
    rows: dict[str, dict[str, Any]] = {}
    models = []
    for run in runs:
        for label, row in run.boards[split]["rows"].items():
            name = label
            if label == "model":
                name = _free(run.name if len(runs) > 1 else "model", rows)
                models.append(name)
            elif label in rows:
                if _same(rows[label], row):
                    continue
                name = _free(f"{label} · {run.name}", rows)
            rows[name] = row
    names = [name for name in rows if name not in models] + models
    board.columns = [c for c in COLUMNS if any(_number(rows[name].get(c)) for name in names)]
    for name in names:
        cells = [_cell(c, rows, name) for c in board.columns]
        board.rows.append((name, name in models, cells))
    for name in models:
        beside = [(text, f"{value_of(rows[name][f]):{form}}") for f, (form, text) in BELOW.items() if f in rows[name]]
        others = [
            (f, f"{value_of(v):.4g}") for f, v in rows[name].items() if _number(v) and f not in {*COLUMNS, *BELOW}
        ]
        board.notes.append((name, beside + others))
    _add_nested(board, rows, names, models)
    board.differences = _differences(runs, split) if task != "sample" else []  # each draws clips of its own
    return board


def _free(name: str, taken: dict[str, Any]) -> str:
    return next(n for n in [name, *(f"{name} ({k})" for k in range(2, 99))] if n not in taken)


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, dict) and "value" in value)


def _cell(figure: str, rows: dict[str, dict[str, Any]], name: str) -> Cell:
    form, more = COLUMNS[figure]
    given = rows[name].get(figure)
    if not _number(given):
        return Cell(figure, None, "–", "", False)
    value = value_of(given)
    others = [value_of(row[figure]) for row in rows.values() if _number(row.get(figure))]
    finite = [v for v in others if np.isfinite(v)] or [value]
    best = more is not None and value == (max(finite) if more else min(finite))
    ends = given if isinstance(given, dict) and {"low", "high"} <= given.keys() else None
    interval = f"{ends['low']:{form}} to {ends['high']:{form}}" if ends else ""
    return Cell(figure, value, f"{value:{form}}", interval, best)


def _add_nested(board: Board, rows: dict[str, dict[str, Any]], names: list[str], models: list[str]) -> None:
    """Add what figures hold beside numbers: by class, confusion, by horizon."""
    groups = dict.fromkeys(f for n in names for f, v in rows[n].items() if isinstance(v, dict) and "value" not in v)
    for figure in groups:
        classes = dict.fromkeys(c for name in names for c in rows[name].get(figure, {}))
        inner = dict.fromkeys(f for n in names for v in rows[n].get(figure, {}).values() for f in _figures(v))
        for one in inner:
            lines = []
            for name in names:
                held = [_figures(rows[name].get(figure, {}).get(c)).get(one) for c in classes]
                if any(value is not None for value in held):
                    lines.append((name, ["–" if value is None else f"{value:.3f}" for value in held]))
            title = f"{one} {figure}" if one else figure
            board.classes.append((title.replace("_", " "), list(classes), lines))
    known = next((list(rows[n][f]) for n in models for f in groups if f in rows[n]), [])
    for name in names:
        counts = rows[name].get("confusion")
        if counts and name in models:
            wide = [*(known or [str(k) for k in range(len(counts))]), "none"][: len(counts[0])]
            shares = [[(int(n), n / max(sum(line), 1)) for n in line] for line in counts]
            board.confusions.append((name, wide[: len(counts)], wide, shares))
        if isinstance(rows[name].get("horizon"), list):
            board.horizons[name] = rows[name]["horizon"]


def _figures(value: Any) -> dict[str, float]:
    """Return the numbers of one class by figure; a plain number has none, and goes by the empty name."""
    if _number(value):
        return {"": value_of(value)}
    held = value.items() if isinstance(value, dict) else ()
    return {name: value_of(inner) for name, inner in held if name in COLUMNS and _number(inner)}


def _differences(runs: list[RunRecord], split: str) -> list[tuple[str, str, Interval]]:
    """Compare each run with the first on the same clips, by the figure that ranks them."""
    found = []
    base = runs[0].details.get(split)
    for run in runs[1:]:
        held = run.details.get(split)
        if base is None or held is None or not np.array_equal(base.index, held.index):
            continue
        figure = next(iter(base.figures))
        if figure not in held.figures or run.boards[split]["clips"] != runs[0].boards[split]["clips"]:
            continue
        here, there = held.by_clip(figure), base.by_clip(figure)
        both = np.isfinite(here) & np.isfinite(there)
        if both.any():
            found.append((f"{run.name} − {runs[0].name}", figure, paired_difference(here[both], there[both])))
    return found


def meaning(figure: str) -> str:
    """Return what a figure means; empty where nothing is written down."""
    return MEANINGS.get(figure, "")
