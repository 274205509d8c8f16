"""Scoreboards as tables in the terminal: a line for each row, or, where that is too wide, a line for each figure."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from trajvq.metrics.figures import Figure
from trajvq.metrics.scoreboard import NOTED_ROWS, TARGET, best_of, figures_of, frames_of, value_of

WIDTH = 120  # columns of a table that is not printed to a terminal


def print_scoreboard(board: Mapping[str, Any]) -> None:
    """Print a scoreboard in the width of the terminal; 120 columns without a terminal."""
    console = Console(width=None if Console().is_terminal else WIDTH)
    layouts = [scoreboard_table(board), scoreboard_table(board, True), scoreboard_table(board, True, intervals=False)]
    options = console.options.update(max_width=1000)
    fitting = (layout for layout in layouts if Measurement.get(console, options, layout).minimum <= console.width)
    table = next(fitting, layouts[0])
    title, caption = table.title, table.caption
    table.title = table.caption = None  # inside the table they would wrap to its width
    console.print(title, style="italic")
    console.print(table)
    if caption:
        console.print(caption, style="dim")
    for remark in board.get("remarks", ()):
        console.print(remark, style="dim", highlight=False, markup=False)


def scoreboard_table(board: Mapping[str, Any], upright: bool = False, intervals: bool = True) -> Table:
    """Lay out a scoreboard. Rows other than the model are dim, a star marks the best value of each figure.

    Args:
        board: Content of ``scoreboards/SPLIT.json``.
        upright: Print a line for each figure instead of a column, for narrow terminals.
        intervals: Print the 95 % intervals of the model's figures.
    """
    figures = figures_of(board)
    columns = [figure for figure in figures.values() if figure.display == "column"]
    rows = {
        label: {name: value_of(row[name]) for name in figures if name in row} for label, row in board["rows"].items()
    }
    cells = {label: [_cell(figure, label, rows) for figure in columns] for label in rows}
    ends = {n: f for n, f in board["rows"]["model"].items() if isinstance(f, Mapping) and "low" in f}
    for end in ("low", "high") if ends and intervals else ():
        cells[f"  95 % {end}"] = [f.text(ends[f.name][end]) if f.name in ends else "" for f in columns]
    title = f"{board['task']} · {board['split']} · {board['clips']} clips · truth {board['truth']}"
    title += f" · {frames_of(board)}" if frames_of(board) else ""
    title += f" · {board['dataset']['path']}" if "dataset" in board else ""
    notes = {
        label: [f"{f.heading} {f.text(row[f.name])}" for f in figures.values() if f.display == "note" and f.name in row]
        for label, row in rows.items()
    }
    lines = [" · ".join(["★ best", *notes["model"]])]
    lines += [f"{label}: {' · '.join(notes[label])}" for label in NOTED_ROWS if notes.get(label)]
    table = Table(title=title, caption="\n".join(lines), title_justify="left", caption_justify="left")
    table.pad_edge = False
    if upright:
        table.box, table.padding = box.SIMPLE, (0, 0, 0, 1)
        table.add_column("", no_wrap=True)
        for label in cells:
            style = None if label == "model" else "dim"
            heading = label.strip().replace("_", "\n").replace(" % ", " %\n")
            table.add_column(heading, justify="right", style=style, header_style=style, no_wrap=True)
        for position, figure in enumerate(columns):
            table.add_row(figure.heading, *(texts[position] for texts in cells.values()))
        return table
    table.add_column("row", no_wrap=True)
    for figure in columns:
        table.add_column(figure.heading.replace(" ", "\n"), justify="right", no_wrap=True)
    for label, texts in cells.items():
        table.add_row(label, *texts, style=None if label == "model" else "dim")
    return table


def _cell(figure: Figure, label: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    if figure.name not in rows[label]:
        return "–"
    value = rows[label][figure.name]
    text = figure.text(value)
    best = label != TARGET and value == best_of(figure, rows)
    return f"[bold green not dim]{text}★[/]" if best else text
