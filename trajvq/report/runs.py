"""A run folder as the report reads it: scoreboards, single clips, training curves, settings and origin."""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trajvq.errors import UserError
from trajvq.metrics.details import ClipDetails
from trajvq.runs.provenance import PROVENANCE

Curve = tuple[list[float], list[float]]  # steps and values


@dataclass
class RunRecord:
    """What is known of a run.

    Attributes:
        folder: Its folder, or the scoreboard file it was read from.
        name: Name of the run.
        task: Such as ``recon``.
        boards: Content of ``scoreboards/SPLIT.json`` by split.
        details: Of ``scoreboards/SPLIT.npz`` by split, where there is one.
        curves: Figures of ``metrics.csv`` by name.
        config: Text of ``config.yaml``.
        commands: Of ``provenance.json``: each with ``command``, ``started``, ``versions`` and perhaps hashes.
    """

    folder: Path
    name: str
    task: str
    boards: dict[str, dict[str, Any]] = field(default_factory=dict)
    details: dict[str, ClipDetails] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    config: str = ""
    commands: list[dict[str, Any]] = field(default_factory=list)

    @property
    def dataset(self) -> dict[str, str] | None:
        """``path`` and ``sha256`` of the dataset it was used with last; None where nobody noted it."""
        return next((command["dataset"] for command in reversed(self.commands) if "dataset" in command), None)


def read_run(path: Path) -> RunRecord:
    """Read a run folder, or one scoreboard as ``trajvq score --out`` writes it.

    Raises:
        UserError: If there is no such run, nothing to show in it, or a file of it is damaged.
    """
    if not path.exists():
        raise UserError(f"there is no run {path}; a run is a folder such as runs/recon/latest")
    try:
        if path.is_file():
            board = json.loads(path.read_text())
            return RunRecord(path, path.stem, board["task"], {board["split"]: board})
        place = path.resolve()
        run = RunRecord(path, place.name, place.parent.name)
        for file in sorted((place / "scoreboards").glob("*.json"), key=_order):
            run.boards[file.stem] = board = json.loads(file.read_text())
            run.task = board["task"]
            beside = file.with_suffix(".npz")
            if beside.exists():
                run.details[file.stem] = ClipDetails.load(beside)
        if (place / "metrics.csv").exists():
            run.curves = read_curves(place / "metrics.csv")
        if (place / "config.yaml").exists():
            run.config = (place / "config.yaml").read_text()
        if (place / PROVENANCE).exists():
            run.commands = json.loads((place / PROVENANCE).read_text())["commands"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({type(error).__name__}: {error}); is it a run's?") from None
    if not run.boards and not run.curves:
        raise UserError(
            f"{path} holds neither scoreboards nor metrics.csv; is it a run folder such as runs/recon/latest?"
        )
    return run


def _order(file: Path) -> tuple[bool, str]:
    return file.stem != "test", file.stem


def read_curves(path: Path) -> dict[str, Curve]:
    """Return the figures of a ``metrics.csv`` over training steps, by name."""
    found: dict[str, Curve] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            for name, text in row.items():
                if text and name not in ("epoch", "step"):
                    steps, values = found.setdefault(name, ([], []))
                    steps.append(float(row["step"]))
                    values.append(float(text))
    return found
