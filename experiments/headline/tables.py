"""Tables of the headline figures: mean and standard deviation over seeds, with the intervals over clips."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from trajvq.metrics.figures import Figure, find
from trajvq.metrics.scoreboard import is_number, value_of

BEGIN, END = "<!-- headline -->", "<!-- end of headline -->"
Cell = dict[str, Any]


@dataclass(frozen=True)
class Headline:
    """The figure of a task that the README of the project shows.

    Attributes:
        figure: Its name.
        without: Rows without a model that no model should lose to; the best of them is shown.
        ceilings: Rows that see more than the model, or are the best that it can reach.
    """

    figure: str
    without: tuple[str, ...]
    ceilings: tuple[str, ...] = ()


HEADLINES = {
    "recon": (
        Headline("skill", ("mean_frame", "median_frame", "copy_first", "blank", "h264")),
        Headline("visible", ("mean_frame", "median_frame", "copy_first", "blank", "h264")),
        Headline("centroid_error", ("mean_frame", "median_frame", "copy_first", "blank", "h264"), ("target",)),
    ),
    "classify": (Headline("accuracy", ("majority", "pixel_probe", "nearest_pixels"), ("judge_true", "judge_tracked")),),
    "sample": (
        Headline("class_match", ("classes_rotated", "token_model"), ("reconstructed",)),
        Headline("coverage", ("classes_rotated", "token_model"), ("reconstructed",)),
    ),
    "forecast": (
        Headline(
            "ade",
            ("copy_last", "frame_shift", "constant_velocity", "velocity_2_points", "quadratic", "nearest_clip"),
            ("best_family_tracked", "true_family_tracked", "true_family_reconstructed", "tokenizer"),
        ),
    ),
}


def read_cells(folder: Path) -> list[Cell]:
    """Return all stored cells, by task and seed."""
    cells = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return sorted(cells, key=lambda cell: (list(HEADLINES).index(cell["task"]), cell["seed"]))


def headline_table(cells: Sequence[Cell]) -> list[str]:
    """Return a short table: of each task its main figures, the best row without the model, and the ceilings."""
    head = ("task", "figure", "model", "95 % interval", "best row without the model", "ceilings")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for task, headlines in HEADLINES.items():
        seeds = [cell for cell in cells if cell["task"] == task]
        for headline in headlines:
            figure = find(headline.figure)
            if not seeds or figure is None or headline.figure not in seeds[0]["rows"]["model"]:
                continue
            rivals = {row: over_seeds(seeds, row, figure) for row in headline.without}
            means = {row: mean(values) for row, values in rivals.items() if values}
            best = figure.best(means.values()) if means else None
            rival = next((f"`{row}` {figure.text(value)}" for row, value in means.items() if value == best), "")
            above = {row: over_seeds(seeds, row, figure) for row in headline.ceilings}
            ceilings = ", ".join(f"`{row}` {figure.text(mean(values))}" for row, values in above.items() if values)
            unit = f", {figure.unit}" if figure.unit else ""
            name = f"{figure.heading}{unit}"
            model = f"**{mean_and_sd(over_seeds(seeds, 'model', figure), figure)}**"
            lines.append(f"| {task} | {name} | {model} | {interval(seeds, 'model', figure)} | {rival} | {ceilings} |")
    return [*lines, "", measured(cells)]


def figures_table(cells: Sequence[Cell]) -> list[str]:
    """Return a table for each task, with every row and column of its scoreboards."""
    lines = []
    for task in HEADLINES:
        seeds = [cell for cell in cells if cell["task"] == task]
        if not seeds:
            continue
        names = dict.fromkeys(name for row in seeds[0]["rows"].values() for name in row)
        figures = [figure for name in names if (figure := find(name)) and figure.display in ("column", "note")]
        figures = [figure for figure in figures if any(over_seeds(seeds, row, figure) for row in seeds[0]["rows"])]
        lines += [
            f"## {task}",
            "",
            f"{seeds[0]['clips']:,} clips, seeds {', '.join(str(c['seed']) for c in seeds)}.",
            "",
        ]
        headings = {row: "**model**" if row == "model" else row for row in seeds[0]["rows"]}
        lines += [f"| figure | {' | '.join(headings.values())} |", "|---" * (len(headings) + 1) + "|"]
        for figure in figures:
            texts = []
            for row in headings:
                text = mean_and_sd(over_seeds(seeds, row, figure), figure)
                span = interval(seeds, row, figure) if row == "model" else ""
                texts.append(f"{text}<br>({span})" if span else text)
            unit = f", {figure.unit}" if figure.unit else ""
            lines.append(f"| {figure.heading}{unit} | {' | '.join(texts)} |")
        lines += ["", *dict.fromkeys(f"- {remark}" for cell in seeds for remark in cell["remarks"]), ""]
    return [*lines, measured(cells)] if cells else []


def over_seeds(seeds: Sequence[Cell], row: str, figure: Figure) -> list[float]:
    """Return a figure of a row for each seed that has it."""
    entries = [cell["rows"].get(row, {}).get(figure.name) for cell in seeds]
    return [value_of(entry) for entry in entries if is_number(entry)]


def mean_and_sd(values: Sequence[float], figure: Figure) -> str:
    """Return the mean of values, and their standard deviation where they differ."""
    if not values:
        return ""
    text = figure.text(mean(values))
    return text if len(set(values)) == 1 else f"{text} ± {figure.text(stdev(values))}"


def interval(seeds: Sequence[Cell], row: str, figure: Figure) -> str:
    """Return the lowest and the highest end of the seeds' 95 % intervals over clips; empty without intervals."""
    entries = [cell["rows"].get(row, {}).get(figure.name) for cell in seeds]
    ends = [entry for entry in entries if isinstance(entry, dict) and {"low", "high"} <= entry.keys()]
    if not ends:
        return ""
    low, high = min(entry["low"] for entry in ends), max(entry["high"] for entry in ends)
    return f"{figure.text(low)} to {figure.text(high)}"


def measured(cells: Sequence[Cell]) -> str:
    """Return a line with commits, machines and days."""
    commits = ", ".join(dict.fromkeys(cell["commit"] for cell in cells))
    machines = ", ".join(dict.fromkeys(f"{cell['machine']} ({cell['day']})" for cell in cells))
    return f"Measured at {commits} on {machines}."
