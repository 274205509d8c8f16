"""Scoreboards of one or several runs merged into tables: each trivial row once, then a row for each run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

import numpy as np

from trajvq.metrics.details import ClipDetails
from trajvq.metrics.figures import Figure, find, heading_of
from trajvq.metrics.intervals import Interval, paired_difference
from trajvq.metrics.scoreboard import NOTED_ROWS, TARGET, best_of, figures_of, frames_of, is_number, value_of
from trajvq.report.runs import RunRecord, runs_by_settings

Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Cell:
    """One cell of a scoreboard: a figure of a row, as text."""

    figure: str
    value: float | None
    text: str
    interval: str
    best: bool


@dataclass(frozen=True)
class ClassTable:
    """A figure of every class: a line of texts for each row of the scoreboard."""

    title: str
    classes: list[str]
    lines: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix of a model: for each true class the counts of its answers and their shares."""

    model: str
    classes: list[str]
    answers: list[str]
    lines: list[list[tuple[int, float]]]


@dataclass(frozen=True)
class Scored:
    """One scoreboard of a run.

    Attributes:
        run: The run.
        name: Of the scoreboard, as `RunRecord.boards` has it.
    """

    run: RunRecord
    name: str

    @property
    def board(self) -> dict[str, Any]:
        """Its content."""
        return self.run.boards[self.name]

    @property
    def details(self) -> ClipDetails | None:
        """Figures of single clips; None without any."""
        return self.run.details.get(self.name)

    @property
    def dataset(self) -> dict[str, str] | None:
        """``path`` and ``sha256`` of what it was measured on; None if that was not recorded."""
        return self.board.get("dataset") or self.run.dataset


@dataclass
class Board:
    """A table of the report.

    Attributes:
        task: Such as ``recon``.
        split: Such as ``test``.
        clips: Number of scored clips.
        truth: ``stored``, ``tracked`` or ``judged``.
        dataset: Path of the dataset, if the runs use several.
        frames: Context and horizon of a forecast, in words.
        columns: Figures of the columns.
        rows: Name, whether it is a model, and cells of each row.
        seeds: Names of runs that differ by their seed alone, with their tokenizers if they differ as well, and cells
            with mean and standard deviation.
        notes: For each model, and for H.264, the figures below the table, with their texts.
        remarks: Lines about what is left out and how the rest was computed.
        classes: Figures by class.
        confusions: Confusion matrices of the models.
        horizons: Errors by predicted frame of the rows that have them; None for a frame without objects.
        differences: Name, figure and interval of every run's paired difference from the first run.
    """

    task: str
    split: str
    clips: int
    truth: str
    dataset: str = ""
    frames: str = ""
    columns: list[Figure] = field(default_factory=list)
    rows: list[tuple[str, bool, list[Cell]]] = field(default_factory=list)
    seeds: list[tuple[str, list[Cell]]] = field(default_factory=list)
    notes: list[tuple[str, list[tuple[Figure, str]]]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    classes: list[ClassTable] = field(default_factory=list)
    confusions: list[Confusion] = field(default_factory=list)
    horizons: dict[str, list[float | None]] = field(default_factory=dict)
    differences: list[tuple[str, str, Interval]] = field(default_factory=list)

    @property
    def figures(self) -> list[Figure]:
        """Every figure of the table and of the notes below it, once."""
        return list(dict.fromkeys([*self.columns, *(figure for _, notes in self.notes for figure, _ in notes)]))


def merge(runs: Sequence[RunRecord]) -> list[Board]:
    """Return a table for every task, dataset and split that a run was scored on, in the order of the runs.

    Forecasts with another context or horizon have a table of their own, and so have those that do not tell theirs.

    Scoreboards that name no dataset, as an older version wrote them, are of the run's own, else of the first one.
    """
    scored = [Scored(run, name) for run in runs for name in run.boards]
    datasets = {one.dataset["sha256"]: one.dataset["path"] for one in scored if one.dataset}
    first = next(iter(datasets), "")
    groups: dict[tuple[str, str, str, str], list[Scored]] = {}
    for one in scored:
        sha256 = one.dataset["sha256"] if one.dataset else first
        groups.setdefault((one.run.task, one.board["split"], sha256, frames_of(one.board)), []).append(one)
    boards = [_merge_split(task, split, group) for (task, split, *_), group in groups.items()]
    if len(datasets) > 1:
        for board, (_, _, sha256, _) in zip(boards, groups, strict=True):
            board.dataset = datasets[sha256]
    return boards


def _merge_split(task: str, split: str, scored: Sequence[Scored]) -> Board:
    first = scored[0].board
    rows, models = _merge_rows(scored)
    own = {name: entry for one in reversed(scored) for name, entry in one.board.get("figures", {}).items()}
    figures = figures_of({"rows": rows, "figures": own})
    board = Board(task, split, first["clips"], first["truth"], frames=frames_of(first))
    board.columns = [figure for figure in figures.values() if figure.display == "column"]
    board.rows = [(name, name in models, [_cell(figure, rows, name) for figure in board.columns]) for name in rows]
    board.seeds = [
        (
            f"{', '.join(names)}, {remark}" if remark else ", ".join(names),
            [_over_seeds(figure, [rows[name] for name in names]) for figure in board.columns],
        )
        for names, remark in runs_by_settings({name: one.run for name, one in zip(models, scored, strict=True)})
    ]
    notes = [figure for figure in figures.values() if figure.display == "note"]
    board.remarks = list(dict.fromkeys(remark for one in scored for remark in one.board.get("remarks", ())))
    for name in [*models, *(name for name in rows if name.partition(" · ")[0] in NOTED_ROWS)]:
        texts = [
            (figure, figure.text(value_of(rows[name][figure.name]))) for figure in notes if figure.name in rows[name]
        ]
        board.notes.append((name, texts))
    nested = dict.fromkeys(
        f for row in rows.values() for f, v in row.items() if isinstance(v, dict) and not is_number(v)
    )
    board.classes = [table for figure in nested for table in _class_tables(figure, rows)]
    board.confusions = _confusions({name: rows[name] for name in models}, _classes_of(scored[0]))
    board.horizons = {name: row["horizon"] for name, row in rows.items() if isinstance(row.get("horizon"), list)}
    board.differences = _differences(scored) if task != "sample" else []  # runs sample different clips
    return board


def _merge_rows(scored: Sequence[Scored]) -> tuple[Rows, list[str]]:
    """Return the rows of several runs by unique names, the models last, and the names of the models."""
    rows: Rows = {}
    models: Rows = {}
    for one in scored:
        for label, row in one.board["rows"].items():
            if label == "model":
                models[_unique(one.run.name if len(scored) > 1 else "model", [*rows, *models])] = row
            elif label not in rows:
                rows[label] = row
            elif json.dumps(rows[label], sort_keys=True) != json.dumps(row, sort_keys=True):
                rows[_unique(f"{label} · {one.run.name}", [*rows, *models])] = row
    return rows | models, list(models)


def _unique(name: str, taken: Sequence[str]) -> str:
    return next(n for n in [name, *(f"{name} ({k})" for k in range(2, len(taken) + 3))] if n not in taken)


def _cell(figure: Figure, rows: Mapping[str, Mapping[str, Any]], name: str) -> Cell:
    cell = rows[name].get(figure.name)
    if not is_number(cell):
        return Cell(figure.name, None, "–", "", False)
    value = value_of(cell)
    best = name != TARGET and value == best_of(figure, rows)
    ends = cell if isinstance(cell, dict) and {"low", "high"} <= cell.keys() else None
    interval = f"{figure.text(ends['low'])} to {figure.text(ends['high'])}" if ends else ""
    return Cell(figure.name, value, figure.text(value), interval, best)


def _class_tables(figure: str, rows: Rows) -> list[ClassTable]:
    """Return a table for every number that a figure such as ``per_class`` holds for each class."""
    classes = list(dict.fromkeys(c for row in rows.values() for c in row.get(figure, {})))
    inner = dict.fromkeys(f for row in rows.values() for v in row.get(figure, {}).values() for f in _numbers(v))
    tables = []
    for name in inner:
        lines = []
        for label, row in rows.items():
            values = [_numbers(row.get(figure, {}).get(c)).get(name) for c in classes]
            if any(value is not None for value in values):
                lines.append((label, ["–" if value is None else f"{value:.3f}" for value in values]))
        title = f"{heading_of(name)} {heading_of(figure)}" if name else heading_of(figure)
        tables.append(ClassTable(title, classes, lines))
    return tables


def _numbers(value: Any) -> dict[str, float]:
    """Return the columns among the figures of one class; a plain number goes by the empty name."""
    if is_number(value):
        return {"": value_of(value)}
    inner = value if isinstance(value, dict) else {}
    entries = {name: find(name) for name in inner if is_number(inner[name])}
    return {name: value_of(inner[name]) for name, entry in entries.items() if entry and entry.display == "column"}


def _classes_of(scored: Scored) -> Sequence[str]:
    """Return the names of all classes; an older version wrote them beside the details alone."""
    return scored.board.get("classes") or (scored.details.classes if scored.details else [])


def _confusions(models: Rows, classes: Sequence[str]) -> list[Confusion]:
    """Return the confusion matrices of models; without names, the classes go by their numbers."""
    confusions = []
    for name, row in models.items():
        counts = row.get("confusion")
        if counts:
            names = [*(classes or map(str, range(len(counts)))), "none"]
            lines = [[(int(count), count / max(sum(line), 1)) for count in line] for line in counts]
            confusions.append(Confusion(name, names[: len(counts)], names[: len(counts[0])], lines))
    return confusions


def _over_seeds(figure: Figure, rows: Sequence[Mapping[str, Any]]) -> Cell:
    """Return the mean of a figure over runs that differ by their seed, and its standard deviation."""
    values = [value_of(row[figure.name]) for row in rows if is_number(row.get(figure.name))]
    if len(values) < len(rows):
        return Cell(figure.name, None, "–", "", False)
    text = f"{figure.text(fmean(values))} ± {figure.text(stdev(values))}"
    return Cell(figure.name, fmean(values), text, "", False)


def _differences(scored: Sequence[Scored]) -> list[tuple[str, str, Interval]]:
    """Compare each run with the first on the same clips, by the figure that ranks them."""
    differences = []
    base = scored[0].details
    for one in scored[1:]:
        details = one.details
        if base is None or details is None or not np.array_equal(base.index, details.index):
            continue
        figure = next(iter(base.figures))
        if figure not in details.figures or one.board["clips"] != scored[0].board["clips"]:
            continue
        values, reference = details.by_clip(figure), base.by_clip(figure)
        both = np.isfinite(values) & np.isfinite(reference)
        if both.any():
            interval = paired_difference(values[both], reference[both])
            differences.append((f"{one.run.name} − {scored[0].run.name}", figure, interval))
    return differences
