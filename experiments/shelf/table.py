"""Cells of the shelf: what is kept of a test, and the table in the README."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from trajvq.metrics.scoreboard import is_number, value_of
from trajvq.runs.provenance import PROVENANCE

sys.path.insert(0, str(Path(__file__).parents[1]))
from experiment import replace_between

BEGIN, END = "<!-- table -->", "<!-- end of table -->"
OTHER_ROWS = ("target", "h264", "model")  # every other row of a scoreboard of `recon` is trivial
Cell = dict[str, Any]
Column = tuple[str, str, str, int]
# Heading, row (``trivial`` is the best one), figure and digits; a figure that no cell has is left out.
COLUMNS: tuple[Column, ...] = (
    ("skill", "model", "skill", 3),
    ("PSNR", "model", "psnr", 1),
    ("moving PSNR", "model", "moving_psnr", 1),
    ("visible", "model", "visible", 4),
    ("centroid, px", "model", "centroid_error", 3),
    ("p95, px", "model", "centroid_p95", 2),
    ("object PSNR", "model", "object_psnr", 1),
    ("color", "model", "color_error", 1),
    ("codes", "model", "codes_used", 0),
    ("bits", "model", "bits", 0),
    ("ideal bits", "model", "bits_ideal", 0),
    ("best trivial PSNR", "trivial", "psnr", 1),
    ("H.264 PSNR", "h264", "psnr", 1),
    ("H.264 moving PSNR", "h264", "moving_psnr", 1),
    ("H.264 bits", "h264", "bits", 0),
)


def cell_content(run: Path) -> Cell:
    """Return what a cell keeps of a tested run: figures without intervals, and where and from what they come.

    The rows are the model, the trivial row with the lowest MSE, and the target and H.264 where the scoreboard has them.

    Args:
        run: The run folder.
    """
    command = json.loads((run / PROVENANCE).read_text())["commands"][0]
    versions = command["versions"]
    return {
        "commit": versions.get("commit", ""),
        "machine": versions["machine"],
        "day": command["started"][:10],
        "dataset": command["dataset"]["sha256"],
        "init_from": command.get("init_from"),
        **board_content(json.loads((run / "scoreboards/test.json").read_text())),
    }


def board_content(board: Mapping[str, Any]) -> Cell:
    """Return what a cell keeps of a scoreboard; see `cell_content`."""
    rows = {name: _numbers(row) for name, row in board["rows"].items()}
    trivial = min((name for name in rows if name not in OTHER_ROWS), key=lambda name: rows[name]["mse"])
    return {
        "clips": board["clips"],
        "truth": board["truth"],
        "best_trivial": trivial,
        "rows": {name: rows[name] for name in (trivial, *OTHER_ROWS) if name in rows},
    }


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(f"{value_of(figure):.6g}") for name, figure in row.items() if is_number(figure)}


def read_cells(folder: Path) -> list[Cell]:
    """Return all stored cells, sorted by set, ablation, steps and seed."""
    cells = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return sorted(cells, key=lambda cell: (cell["set"], cell["name"], cell["steps"], cell["seed"]))


def write_table(cells: Sequence[Cell], readme: Path, pictures: Path) -> None:
    """Rewrite what stands between the markers of a README: the table, and the pictures below it.

    Args:
        cells: Sorted, as `read_cells` returns them.
        readme: The file.
        pictures: Folder of the pictures, beside it.
    """
    lines = [*table(cells), "", *_pictures(cells, pictures, readme.parent)] if cells else []
    replace_between(readme, BEGIN, END, lines)


def table(cells: Sequence[Cell], columns: Sequence[Column] = COLUMNS) -> list[str]:
    """Return the lines of the table: one for each set, ablation and number of steps, with the mean over seeds.

    Below a mean over several seeds stands the range. Columns without any figure are left out. The machines and days
    stand below.

    Args:
        cells: Sorted, as `read_cells` returns them.
        columns: As `COLUMNS`.
    """
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell["set"], cell["name"], cell["steps"]), []).append(cell)
    columns = [column for column in columns if any(_figure(cell, *column[1:3]) is not None for cell in cells)]
    names = ["clips", "steps", "seeds", *(column[0] for column in columns), "minutes", "commit"]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for (name, ablation, steps), group in groups.items():
        label = f"{name}, {ablation}" if ablation else name
        label += ", **collapsed**" if any(cell["collapse"] for cell in group) else ""
        row = [label, f"{steps:,}" if steps else "", ", ".join(str(cell["seed"]) for cell in group)]
        for _, source, figure, digits in columns:
            values = [value for cell in group if (value := _figure(cell, source, figure)) is not None]
            row.append(_text(values, digits))
        row.append(_text([cell["seconds"] / 60 for cell in group], 1) if steps else "")
        row.append("<br>".join(dict.fromkeys(str(cell["commit"]) for cell in group)))
        lines.append(f"| {' | '.join(row)} |")
    machines = dict.fromkeys(f"{cell['machine']} ({cell['day']})" for cell in cells)
    return [*lines, "", f"Measured on {'; '.join(machines)}."]


def _figure(cell: Cell, row: str, figure: str) -> float | None:
    return cell["rows"].get(cell["best_trivial"] if row == "trivial" else row, {}).get(figure)


def _text(values: Sequence[float], digits: int) -> str:
    if not values:
        return ""
    text: Callable[[float], str] = lambda value: f"{value:,.{digits}f}".replace("-", "−")  # noqa: E731
    low, high = text(min(values)), text(max(values))
    return text(mean(values)) + (f"<br>{low} to {high}" if low != high else "")


def _pictures(cells: Sequence[Cell], pictures: Path, folder: Path) -> list[str]:
    """Return a picture of each set: that of its longest training with the default config."""
    longest: dict[str, Cell] = {}
    for cell in cells:
        longer = cell["set"] not in longest or cell["steps"] > longest[cell["set"]]["steps"]
        path = pictures / f"{cell['set']}-{cell['steps']}-{cell['seed']}.png"
        if not cell["name"] and longer and path.exists():
            longest[cell["set"]] = cell
    lines = []
    for name, cell in longest.items():
        path = pictures / f"{name}-{cell['steps']}-{cell['seed']}.png"
        lines += [f"**{name}**, {cell['steps']:,} steps, seed {cell['seed']}", ""]
        lines += [f"![{name}: target above, reconstruction below]({path.relative_to(folder)})", ""]
    return lines
