"""The scoreboard as a table in the terminal."""

from collections.abc import Mapping
from typing import Any

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
    "ood_over_id": (".3f", "of the accuracy on test"),
    "memorization_path": (".3f", "memorization in paths"),
    "nearer_path": (".4f", "nearer to training than 99 % of val"),
    "memorization_tokens": (".3f", "memorization in tokens"),
    "nearer_tokens": (".4f", "nearer"),
    "nll_bits": (",.0f", "nll bits"),
    "description_bits": (",.0f", "description bits"),
    "bits": (",.0f", "bits"),
    "clips_per_second": (".1f", "clips/s"),
    "codes_used": (".0f", "codes used"),
    "perplexity": (".1f", "perplexity"),
    "object_perplexity": (".1f", "perplexity on objects"),
    "probe_accuracy": (".3f", "probe accuracy"),
    "probe_accuracy_true": (".3f", "the same probe on true positions"),
}


def scoreboard_table(board: Mapping[str, Any]) -> Table:
    """Lay out a scoreboard: trivial rows dim, the best figure of each column bold, tokens in the caption."""
    sure = {name: f for name, f in board["rows"]["model"].items() if isinstance(f, dict) and "low" in f}
    ends = {end: {name: figure[end] for name, figure in sure.items()} for end in ("low", "high")}
    shown = COLUMNS.keys() | BELOW.keys()
    rows = {
        label: {name: value_of(figure) for name, figure in row.items() if name in shown}
        for label, row in board["rows"].items()
    }
    names = [name for name in COLUMNS if any(name in row for row in rows.values())]
    title = f"{board['task']} · {board['split']} · {board['clips']} clips · truth {board['truth']}"
    model = rows["model"]
    tokens = " · ".join(f"{text} {model[name]:{form}}" for name, (form, text) in BELOW.items() if name in model)
    table = Table(title=title, caption=tokens or None, title_justify="left", caption_justify="left")
    table.add_column("row")
    for name in names:
        table.add_column(name.replace("_", "\n"), justify="right")
    for label, row in rows.items():
        cells = []
        for name in names:
            form, more = COLUMNS[name]
            values = [r[name] for r in rows.values() if name in r]
            best = name in row and row[name] == (max(values) if more else min(values))
            text = f"{row[name]:{form}}" if name in row else "–"
            cells.append(f"[bold]{text}[/bold]" if best else text)
        table.add_row(label, *cells, style=None if label == "model" else "dim")
    for end, figures in ends.items():
        if figures:
            cells = [f"{figures[name]:{COLUMNS[name][0]}}" if name in figures else "" for name in names]
            table.add_row(f"  95 % {end}", *cells, style="dim")
    return table
