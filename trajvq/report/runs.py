"""A run folder as the report reads it: scoreboards, single clips, training curves, config and provenance."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from trajvq.errors import UserError
from trajvq.metrics.details import ClipDetails
from trajvq.metrics.scoreboard import figures_of
from trajvq.runs.provenance import PROVENANCE

SEEDS = ("seed", "seed_everything")
NOT_COMPARED = ("run_root", "tokenizer_ckpt")  # runs by themselves are compared by what their tokenizer is
Curve = tuple[list[float], list[float]]  # steps and values


@dataclass
class RunRecord:
    """The content of a run folder.

    Attributes:
        folder: The folder, or the file of a single scoreboard.
        name: Name of the run.
        task: Such as ``recon``.
        boards: Content of ``scoreboards/SPLIT.json`` by split; of other datasets by ``DATASET/SPLIT``.
        details: Content of ``scoreboards/SPLIT.npz``, where there is one, by the same names.
        curves: Figures of ``metrics.csv`` by name.
        config: Text of ``config.yaml``.
        commands: Commands of ``provenance.json``, each with ``command``, ``started``, ``versions`` and perhaps hashes.
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
        """``path`` and ``sha256`` of the dataset of the last command; None if it was not recorded."""
        return next((command["dataset"] for command in reversed(self.commands) if "dataset" in command), None)

    @property
    def tokenizer(self) -> dict[str, Any] | None:
        """``path`` and ``sha256`` of the tokenizer of the last command; None if there is none."""
        return next((command["tokenizer"] for command in reversed(self.commands) if "tokenizer" in command), None)


def read_run(path: Path) -> RunRecord:
    """Read a run folder, or a scoreboard that ``trajvq score --out`` wrote.

    Raises:
        UserError: If there is no such run, it holds nothing to show, or a file is damaged.
    """
    if not path.exists():
        raise UserError(f"there is no run {path}; give a run folder such as runs/recon/latest")
    try:
        if path.is_file():
            board = _read_board(path)
            return RunRecord(path, path.stem, board["task"], {board["split"]: board})
        folder = path.resolve()
        run = RunRecord(path, folder.name, folder.parent.name)
        for name, file in sorted(_board_files(folder / "scoreboards"), key=_board_order):
            run.boards[name] = board = _read_board(file)
            run.task = board["task"]
            if file.with_suffix(".npz").exists():
                run.details[name] = ClipDetails.load(file.with_suffix(".npz"))
        if (folder / "metrics.csv").exists():
            run.curves = read_curves(folder / "metrics.csv")
        if (folder / "config.yaml").exists():
            run.config = (folder / "config.yaml").read_text(encoding="utf-8")
        if (folder / PROVENANCE).exists():
            run.commands = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))["commands"]
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{path} cannot be read ({reason}); give a run folder or a scoreboard") from None
    if not run.boards and not run.curves:
        raise UserError(
            f"{path} holds neither scoreboards nor metrics.csv; give a run folder such as runs/recon/latest"
        )
    return run


def _board_files(folder: Path) -> list[tuple[str, Path]]:
    """Return the scoreboards of a run by the names of `RunRecord.boards`."""
    files = [*folder.glob("*.json"), *folder.glob("*/*.json")]
    return [(file.relative_to(folder).with_suffix("").as_posix(), file) for file in files]


def _board_order(board: tuple[str, Path]) -> tuple[str, bool, str]:
    """Sort scoreboards of the run's own dataset, and then those of ``test``, first."""
    dataset, _, split = board[0].rpartition("/")
    return dataset, split != "test", split


def _read_board(file: Path) -> dict[str, Any]:
    """Return a scoreboard whose figures can be described; otherwise raise one of the errors of `read_run`."""
    board: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    figures_of(board)
    return board


def runs_by_settings(runs: Mapping[str, RunRecord]) -> list[tuple[list[str], str]]:
    """Return the names of runs that differ by their seed alone, two or more each, and a remark about tokenizers.

    Runs on the same tokenizer belong together. So do runs each with a seed and a tokenizer of its own, as of pipelines
    trained anew: the remark then names the tokenizers. Runs with one seed on several tokenizers are a comparison.

    Args:
        runs: By name; runs without a config are left out.
    """
    groups: dict[str, list[str]] = {}
    configs = {name: yaml.safe_load(run.config) for name, run in runs.items() if run.config}
    for name, config in configs.items():
        groups.setdefault(_settings(config, (*SEEDS, *NOT_COMPARED)), []).append(name)
    repeats = []
    for names in groups.values():
        tokenizers: dict[str, list[str]] = {}
        for name in names:
            tokenizers.setdefault(_tokenizer_of(runs[name], configs[name]), []).append(name)
        repeats += [(same, "") for same in tokenizers.values() if len(same) > 1]
        seeds = {_settings(configs[name], NOT_COMPARED) for name in names}
        if len(tokenizers) == len(seeds) == len(names) > 1:
            repeats.append((names, f"each on a tokenizer of its own: {', '.join(tokenizers)}"))
    return repeats


def _settings(config: Any, left_out: Sequence[str]) -> str:
    """Return the settings of a config as text, without some of them."""

    def kept(settings: Any) -> Any:
        if isinstance(settings, dict):
            return {name: kept(value) for name, value in settings.items() if name not in left_out}
        return [kept(value) for value in settings] if isinstance(settings, list) else settings

    return json.dumps(kept(config), sort_keys=True)


def _tokenizer_of(run: RunRecord, config: Any) -> str:
    """Return path and hash of a run's tokenizer, as far as they were recorded; empty without one."""
    if run.tokenizer:
        return f"{run.tokenizer['path']} (sha256 {run.tokenizer['sha256'][:12]})"
    model = config.get("model") or {}
    return str((model.get("init_args") or model).get("tokenizer_ckpt", ""))


def read_curves(path: Path) -> dict[str, Curve]:
    """Return steps and values of every figure of a ``metrics.csv``, by name."""
    curves: dict[str, Curve] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, text in row.items():
                if text and name not in ("epoch", "step"):
                    steps, values = curves.setdefault(name, ([], []))
                    steps.append(float(row["step"]))
                    values.append(float(text))
    return curves
