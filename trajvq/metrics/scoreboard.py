"""Scoreboards of any task: the figures of a model beside those of the rows that it should not lose to.

A row is ``{figure: number or {"value", "low", "high"}}``. `trajvq.metrics.figures` describes every figure.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from trajvq.metrics.figures import BUILT_IN, Figure, find, key_of, lookup, registered

Rows = Mapping[str, Mapping[str, Any]]
TARGET = "target"  # row of the target as its own reconstruction, with which no other row competes
# Rows whose notes tables show beside those of models.
NOTED_ROWS = ("h264", "copies", "reconstructed", "val", "model_at_1")


def scoreboard_content(
    task: str,
    split: str,
    seconds: float,
    checkpoint: str,
    board: Mapping[str, Any],
    dataset: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the content of ``scoreboards/SPLIT.json``.

    Figures that a user registered are described under ``"figures"``, so that the report needs no code of theirs.

    Args:
        task: Such as ``recon``.
        split: Such as ``test``.
        seconds: Time that the test took.
        checkpoint: The checkpoint or file that was scored.
        board: ``clips``, ``truth``, ``rows`` and perhaps ``judge``, ``still_clips``, ``classes``, their names, and
            ``remarks``, lines about what is left out and how the rest was computed; of a forecast also ``context`` and
            ``horizon``, in frames.
        dataset: ``path``, or its URL, and ``sha256`` of its manifest; None for data of another kind.

    Raises:
        UserError: If a figure is not registered.
    """
    rows = {name: dict(row) for name, row in board["rows"].items()}
    entries = {figure: lookup(figure) for row in rows.values() for figure in row}
    own = {name: asdict(entry) for name, entry in entries.items() if key_of(name) not in BUILT_IN}
    head = {"task": task, "split": split, "clips": board["clips"], "seconds": seconds, "checkpoint": checkpoint}
    head |= {"dataset": dict(dataset)} if dataset else {}
    names = ("classes", "context", "horizon", "judge", "still_clips", "remarks")
    extra = {name: board[name] for name in names if name in board}
    extra |= {"figures": own} if own else {}
    return {**head, "truth": board["truth"], **extra, "rows": rows}


def frames_of(board: Mapping[str, Any]) -> str:
    """Return the context and horizon of a forecast in words; nothing for another scoreboard, or an older one."""
    return f"context {board['context']}, horizon {board['horizon']} frames" if "horizon" in board else ""


def is_number(figure: Any) -> bool:
    """Return whether a figure is a single number, with or without an interval."""
    return isinstance(figure, int | float) or (isinstance(figure, Mapping) and "value" in figure)


def value_of(figure: Any) -> float:
    """Return a figure without its interval."""
    return float(figure["value"] if isinstance(figure, Mapping) else figure)


def figures_of(board: Mapping[str, Any]) -> dict[str, Figure]:
    """Return entries of all single numbers of a scoreboard, in the order of tables.

    A figure that is neither registered nor described by the scoreboard, as in a file of an older version, is a note.
    """
    own = {name: Figure(**entry) for name, entry in board.get("figures", {}).items()}
    names = dict.fromkeys(name for row in board["rows"].values() for name, value in row.items() if is_number(value))
    entries = {name: find(name) or own.get(name) or Figure(name, "", display="note", digits=4) for name in names}
    order = {entry.name: position for position, entry in enumerate(registered())}
    return {name: entries[name] for name in sorted(names, key=lambda name: order.get(key_of(name) or "", len(order)))}


def best_of(figure: Figure, rows: Rows) -> float | None:
    """Return the best finite value of a figure among the rows that compete; None without any, or a direction."""
    cells = [row[figure.name] for label, row in rows.items() if label != TARGET and is_number(row.get(figure.name))]
    values = [value for value in map(value_of, cells) if math.isfinite(value)]
    return figure.best(values) if values else None


def add_ood_ratios(models: Mapping[str, dict[str, Any]], figure: str) -> None:
    """Add ``ood_over_id`` to the figures of every ``ood_`` split: the ratio of one figure to the same on ``test``.

    Args:
        models: The row ``model`` of every scored split; without ``test`` there are no ratios.
        figure: Name of the figure.
    """
    reference = value_of(models.get("test", {}).get(figure, 0.0))  # absent where nothing can be tracked
    for split, row in models.items():
        if split.startswith("ood_") and reference > 0 and figure in row:
            row["ood_over_id"] = value_of(row[figure]) / reference
