"""The scoreboard as a table in the terminal: rows of figures, or, where that is too wide, figures of rows."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from trajvq.metrics.scoreboard import value_of

# Figures in the order of the table, with their format and whether more is better.
COLUMNS: dict[str, tuple[str, bool | None]] = {
    "accuracy": (".4f", True),
    "accuracy_identifiable": (".4f", True),
    "ece": (".3f", False),
    "class_match": (".3f", True),
    "physics_residual": (".2f", False),
    "none": (".3f", False),
    "coverage": (".3f", True),
    "density": (".3f", True),
    "train_on": (".4f", True),
    "ade": (".3f", False),
    "fde": (".3f", False),
    "miss_2px": (".3f", False),
    "velocity_error": (".3f", False),
    "skill": (".3f", True),
    "visible": (".4f", True),
    "centroid_error": (".3f", False),
    "centroid_p95": (".3f", False),
    "object_psnr": (".1f", True),
    "color_error": (".1f", False),
    "radius_error": (".2f", False),
    "psnr": (".1f", True),
    "ssim": (".4f", True),
    "mse": (".6f", False),
}
BELOW = {
    "ood_over_id": (".3f", "OOD / ID"),
    "ade_samples": (".3f", "ADE of a sample"),
    "min_ade_20": (".3f", "of the best of 20"),
    "energy_score": (".3f", "energy score"),
    "within_90": (".3f", "truth in the 90 % region"),
    "clips_per_second": (".0f", "clips a second"),
    "memorization_path": (".3f", "memorization in paths"),
    "nearer_path": (".4f", "nearer to training than 99 % of val"),
    "memorization_tokens": (".3f", "memorization in tokens"),
    "nearer_tokens": (".4f", "nearer"),
    "nll_bits": (",.0f", "nll bits"),
    "description_bits": (",.0f", "description bits"),
    "bits": (",.0f", "bits"),
    "codes_used": (".0f", "codes used"),
    "perplexity": (".1f", "perplexity"),
    "object_perplexity": (".1f", "perplexity on objects"),
    "probe_accuracy": (".3f", "probe accuracy"),
    "probe_accuracy_true": (".3f", "the same probe on true positions"),
}


def print_scoreboard(board: Mapping[str, Any]) -> None:
    """Print a scoreboard as wide as the terminal is; 120 columns where there is none."""
    console = Console(width=None if Console().is_terminal else 120)
    for upright in (False, True):
        table = scoreboard_table(board, upright)
        if Measurement.get(console, console.options.update(max_width=1000), table).minimum <= console.width:
            break
    else:
        table = scoreboard_table(board)
    around, table.title, table.caption = (table.title, table.caption), None, None  # they would be as narrow as it is
    console.print(around[0], style="italic")
    console.print(table)
    if around[1]:
        console.print(around[1], style="dim")


def scoreboard_table(board: Mapping[str, Any], upright: bool = False) -> Table:
    """Lay out a scoreboard: rows without the model dim, the best of each figure bold with a star, tokens below.

    Args:
        board: As in ``scoreboards/SPLIT.json``.
        upright: A line a figure instead of a column a figure, for narrow terminals.
    """
    shown = COLUMNS.keys() | BELOW.keys()
    rows = {
        label: {name: value_of(figure) for name, figure in row.items() if name in shown}
        for label, row in board["rows"].items()
    }
    names = [name for name in COLUMNS if any(name in row for row in rows.values())]
    grid = {label: [_cell(name, row, rows) for name in names] for label, row in rows.items()}
    sure = {name: f for name, f in board["rows"]["model"].items() if isinstance(f, dict) and "low" in f}
    for end in ("low", "high") if sure else ():
        grid[f"  95 % {end}"] = [f"{sure[name][end]:{COLUMNS[name][0]}}" if name in sure else "" for name in names]
    title = f"{board['task']} · {board['split']} · {board['clips']} clips · truth {board['truth']}"
    model = rows["model"]
    tokens = [f"{text} {model[name]:{form}}" for name, (form, text) in BELOW.items() if name in model]
    table = Table(title=title, caption=" · ".join(["★ best", *tokens]), title_justify="left", caption_justify="left")
    if upright:
        table.box = box.SIMPLE
        table.add_column("", no_wrap=True)
        for label in rows:
            style = None if label == "model" else "dim"
            name = label.replace("_", "\n")
            table.add_column(name, justify="right", style=style, header_style=style, no_wrap=True)
        for place, name in enumerate(names):
            table.add_row(name.replace("_", " "), *(grid[label][place] for label in rows))
        return table
    table.add_column("row", no_wrap=True)
    for name in names:
        table.add_column(name.replace("_", "\n"), justify="right", no_wrap=True)
    for label, cells in grid.items():
        table.add_row(label, *cells, style=None if label == "model" else "dim")
    return table


def _cell(name: str, row: Mapping[str, float], rows: Mapping[str, Mapping[str, float]]) -> str:
    if name not in row:
        return "–"
    form, more = COLUMNS[name]
    values = [r[name] for r in rows.values() if name in r]
    text = f"{row[name]:{form}}"
    best = more is not None and row[name] == (max(values) if more else min(values))
    return f"[bold green not dim]{text}★[/]" if best else text
