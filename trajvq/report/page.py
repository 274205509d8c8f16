"""The report: one HTML file about one or several runs. It loads nothing else, so it works offline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import jinja2
import numpy as np
from markupsafe import Markup

from trajvq.metrics.details import ClipDetails
from trajvq.metrics.figures import find, heading_of
from trajvq.metrics.forecast.errors import points_of
from trajvq.report import charts
from trajvq.report.boards import Board, merge
from trajvq.report.breakdown import Group, by_position, groups
from trajvq.report.gallery import galleries
from trajvq.report.runs import RunRecord
from trajvq.runs.provenance import versions

FIGURES_BROKEN_DOWN = 2  # figures of a split that are broken down by class, speed, size and position
UNIFORM = 0.98  # share of clips with the same value from which a breakdown shows nothing
LOGARITHMIC = ("loss", "mse")
FACTS = {"label": "class", "speed": "speed, px per frame", "radius": "size, px"}


@dataclass(frozen=True)
class Breakdown:
    """A figure by a fact: its chart, and the same as a table."""

    figure: str
    fact: str
    svg: Markup
    table: list[Group]


def render_page(runs: Sequence[RunRecord], title: str) -> str:
    """Return the page.

    Args:
        runs: One run, or several to compare.
        title: Heading of the page.
    """
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("trajvq.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    pages.trim_blocks = pages.lstrip_blocks = True
    pages.filters["heading"] = heading_of
    boards = merge(runs)
    return pages.get_template("report.html").render(
        title=title,
        runs=runs,
        boards=boards,
        horizons={number: _horizon(board) for number, board in enumerate(boards) if board.horizons},
        galleries=galleries(runs),
        breakdowns=_all_breakdowns(runs),
        curves=_curves(runs),
        usage=_usage(runs),
        time=datetime.now().astimezone().isoformat(timespec="minutes"),
        versions=versions(),
    )


def _all_breakdowns(runs: Sequence[RunRecord]) -> list[tuple[str, list[Breakdown]]]:
    """Return the breakdowns of every run and split, each with its heading."""
    sections = []
    for run in runs:
        for split, details in run.details.items():
            figures = list(details.figures)[:FIGURES_BROKEN_DOWN]
            breakdowns = [breakdown for figure in figures for breakdown in _breakdowns(details, figure)]
            if breakdowns:
                sections.append((f"{run.task} · {run.name} · {split}", breakdowns))
    return sections


def _breakdowns(details: ClipDetails, figure: str) -> list[Breakdown]:
    """Return the breakdowns of one figure; none where nearly all clips have the same value."""
    value = details.by_clip(figure)
    value = value[np.isfinite(value)]
    if not len(value) or (value == np.median(value)).mean() > UNIFORM:
        return []
    breakdowns, title = [], heading_of(figure)
    for fact, heading in FACTS.items():
        rows = groups(details, figure, fact) if fact in details.facts else []
        if len(rows) > 1:
            svg = charts.plot_intervals([r.name for r in rows], [r.figure for r in rows], f"{title} by {heading}")
            breakdowns.append(Breakdown(figure, heading.partition(",")[0], Markup(svg), rows))
    if {"x", "y"} <= details.facts.keys() and details.clips:
        size = next(iter(details.clips.values())).shape[-2:]
        svg = charts.plot_position_map(by_position(details, figure, size), size, f"{title} by position in the frame")
        breakdowns.append(Breakdown(figure, "position", Markup(svg), []))
    return breakdowns


def _curves(runs: Sequence[RunRecord]) -> list[tuple[str, list[Markup]]]:
    """Return training charts by task: a chart for each figure, with a line for each run."""
    sections = []
    for task in dict.fromkeys(run.task for run in runs):
        of_task = [run for run in runs if run.task == task and run.curves]
        names = dict.fromkeys(name for run in of_task for name in run.curves if name.startswith(("train/", "val/")))
        plots = []
        for name in sorted(names, key=lambda n: (n.startswith("train/"), n)):
            curves = {run.name: run.curves[name] for run in of_task if name in run.curves}
            stage, figure = name.split("/", 1)
            log = figure in LOGARITHMIC and all(v > 0 for _, values in curves.values() for v in values)
            entry = find(figure) if stage == "val" else None
            plots.append(Markup(charts.plot_lines(curves, name, "step", log, entry.better if entry else None)))
        if plots:
            sections.append((task, plots))
    return sections


def _usage(runs: Sequence[RunRecord]) -> list[Markup]:
    return [
        Markup(charts.plot_code_usage(details.counts, f"{run.name}, {split}: use of codes"))
        for run in runs
        for split, details in run.details.items()
        if details.counts
    ]


def _horizon(board: Board) -> Markup:
    """Return a chart of the error by predicted frame, of every row but ``blank``; lines of models are thick."""
    models = [name for name, is_model, _ in board.rows if is_model]
    curves = {name: points_of(errors) for name, errors in board.horizons.items() if name != "blank"}
    title = f"{board.split}: error by predicted frame, px"
    return Markup(charts.plot_many_lines(curves, title, "frames after the context", models))
