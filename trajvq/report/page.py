"""The report: one HTML file of one run or many, which needs neither network nor anything else."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from trajvq.metrics.details import ClipDetails
from trajvq.report import charts
from trajvq.report.boards import Board, meaning, merge
from trajvq.report.breakdown import UNITS, Group, by_place, groups
from trajvq.report.runs import RunRecord
from trajvq.report.sprites import sprite, with_error
from trajvq.runs.provenance import versions

LIMIT = 7_500_000  # bytes of all clips together; the rest of the page takes well under 1 MB
BROKEN_DOWN = 2  # figures of a split that are shown by class, speed, size and place
ALIKE = 0.98  # share of clips with the same value from which there is nothing to break down
LOG = ("loss", "mse")
MORE_IS_BETTER = ("skill", "visible", "accuracy", "codes_used", "class_match")


@dataclass(frozen=True)
class Card:
    """One clip to play."""

    caption: str
    alt: str
    source: str
    rows: str  # JSON: names, from top to bottom of the picture
    paths: str  # JSON: name: guesses x frames x (x, y)


@dataclass(frozen=True)
class Gallery:
    """The clips kept of a split."""

    run: str
    task: str
    split: str
    ranked: str
    frames: int
    width: int
    height: int
    cards: list[Card]
    left_out: int
    paths: list[str]


@dataclass(frozen=True)
class Breakdown:
    """A figure by a fact: its chart and the same as a table."""

    figure: str
    fact: str
    svg: Markup
    table: list[Group]


def render(runs: Sequence[RunRecord], title: str) -> str:
    """Return the page.

    Args:
        runs: One, or several to compare.
        title: Heading of the page.
    """
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("trajvq.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    pages.trim_blocks = pages.lstrip_blocks = True
    pages.filters["meaning"] = meaning
    boards = merge(runs)
    return pages.get_template("report.html").render(
        title=title,
        runs=runs,
        boards=boards,
        horizons={number: _horizon(board) for number, board in enumerate(boards) if board.horizons},
        galleries=_galleries(runs),
        breakdowns=_all_breakdowns(runs),
        curves=_curves(runs),
        usage=_usage(runs),
        made=datetime.now().astimezone().isoformat(timespec="minutes"),
        versions=versions(),
    )


def _galleries(runs: Sequence[RunRecord]) -> list[Gallery]:
    found = [_gallery(run, split, held) for run in runs for split, held in run.details.items() if held.clips]
    size = sum(len(card.source) for gallery in found for card in gallery.cards)
    share = min(1.0, LIMIT / max(size, 1))
    return [_cut(gallery, share) for gallery in found]


def _cut(gallery: Gallery, share: float) -> Gallery:
    count = max(1, int(len(gallery.cards) * share))
    left = len(gallery.cards) - count
    return Gallery(**{**gallery.__dict__, "cards": gallery.cards[:count], "left_out": left})


def _gallery(run: RunRecord, split: str, held: ClipDetails) -> Gallery:
    frames, _, height, width = next(iter(held.clips.values())).shape[1:]
    ranked = next(iter(held.figures), "")
    cards = []
    for place, row in enumerate(held.shown.tolist()):
        clips = with_error({name: clip[place] for name, clip in held.clips.items()})
        caption = _caption(held, row)
        alt = f"{run.name}, {split}, {caption}: {', '.join(clips)}, {frames} frames from left to right"
        paths = {name: _rounded(path[place]) for name, path in held.paths.items()}
        cards.append(Card(caption, alt, sprite(clips), json.dumps(list(clips)), json.dumps(paths)))
    return Gallery(run.name, run.task, split, ranked, frames, width, height, cards, 0, list(held.paths))


def _caption(held: ClipDetails, row: int) -> str:
    words = [f"clip {held.index[row]}"]
    for name, value in held.facts.items():
        if name in ("label", "answer") and value.ndim == 1:
            known = 0 <= value[row] < len(held.classes)
            class_name = held.classes[int(value[row])] if known else "none"
            words.append(class_name if name == "label" else f"answer {class_name}")
    words += [f"{name.replace('_', ' ')} {held.by_clip(name)[row]:.3g}" for name in list(held.figures)[:3]]
    return ", ".join(words)


def _rounded(path: Any) -> list[Any]:
    guesses = path[None] if path.ndim == 2 else path
    return [[None if not np.isfinite(p).all() else [round(float(v), 2) for v in p] for p in guess] for guess in guesses]


def _all_breakdowns(runs: Sequence[RunRecord]) -> list[tuple[str, list[Breakdown]]]:
    """Return the charts of every run and split that has some, under a heading each."""
    found = []
    for run in runs:
        for split, held in run.details.items():
            charts_of = [one for figure in list(held.figures)[:BROKEN_DOWN] for one in _breakdowns(held, figure)]
            if charts_of:
                found.append((f"{run.task} · {run.name} · {split}", charts_of))
    return found


def _breakdowns(held: ClipDetails, figure: str) -> list[Breakdown]:
    """Return the charts of one figure; none where nearly all clips are alike."""
    value = held.by_clip(figure)
    value = value[np.isfinite(value)]
    if not len(value) or (value == np.median(value)).mean() > ALIKE:
        return []
    found, title = [], figure.replace("_", " ")
    for fact, called in (("label", "class"), ("speed", "speed"), ("radius", "size")):
        rows = groups(held, figure, fact) if fact in held.facts else []
        if len(rows) > 1:
            unit = f", {UNITS[fact]}" if fact in UNITS else ""
            svg = charts.points([row.name for row in rows], [row.figure for row in rows], f"{title} by {called}{unit}")
            found.append(Breakdown(figure, called, Markup(svg), rows))
    if {"x", "y"} <= held.facts.keys() and held.clips:
        size = next(iter(held.clips.values())).shape[-2:]
        svg = charts.place_map(by_place(held, figure, size), size, f"{title} by place in the frame")
        found.append(Breakdown(figure, "place", Markup(svg), []))
    return found


def _curves(runs: Sequence[RunRecord]) -> list[tuple[str, list[Markup]]]:
    """Return charts of training by task: a chart a figure, in it a line a run."""
    found = []
    for task in dict.fromkeys(run.task for run in runs):
        chosen = [run for run in runs if run.task == task and run.curves]
        names = dict.fromkeys(name for run in chosen for name in run.curves if name.startswith(("train/", "val/")))
        drawn = []
        for name in sorted(names, key=lambda n: (n.startswith("train/"), n)):
            held = {run.name: run.curves[name] for run in chosen if name in run.curves}
            short = name.split("/")[1]
            log = short in LOG and all(v > 0 for _, y in held.values() for v in y)
            rise = None if name.startswith("train/") else short in MORE_IS_BETTER
            drawn.append(Markup(charts.lines(held, name, "step", log, rise)))
        if drawn:
            found.append((task, drawn))
    return found


def _usage(runs: Sequence[RunRecord]) -> list[Markup]:
    return [
        Markup(charts.usage(held.counts, f"{run.name}, {split}: use of codes"))
        for run in runs
        for split, held in run.details.items()
        if held.counts
    ]


def _horizon(board: Board) -> Markup:
    """Return the error by frame of every row that sees anything, those of the models thick."""
    models = [name for name, model, _ in board.rows if model]
    held = {name: (list(range(1, len(y) + 1)), y) for name, y in board.horizons.items() if name != "blank"}
    return Markup(charts.many_lines(held, f"{board.split}: error by frame predicted, px", "frames ahead", models))
