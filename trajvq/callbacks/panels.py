"""WandbPanels: fill the W&B panels that single figures cannot: best values, use of codes, scoreboards.

Panels are grouped by the first part of a name: ``train/``, ``val/``, ``test/`` (and ``ood_.../``), ``media/``,
``codes/``.
"""

from collections.abc import Mapping
from typing import Any

import lightning as L
import numpy as np

from trajvq.callbacks.protocols import HasCodeUsage, HasScoreboards
from trajvq.metrics.figures import registered
from trajvq.metrics.forecast.errors import points_of
from trajvq.metrics.scoreboard import is_number, value_of
from trajvq.runs.wandb_runs import surviving, wandb_loggers

BINS = 64  # of the histogram over the codebook


class WandbPanels(L.Callback):
    """Fill the panels of W&B runs, online or offline. Gradients are not logged.

    During training the summary keeps the best value of each ``val/`` figure, and ``codes/`` shows after each
    validation how often the codes are used, and perplexities. A test adds a table of each scoreboard,
    ``SPLIT/scoreboard``, and the error by predicted frame, ``SPLIT/horizon``, if there is one.
    """

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for logger in wandb_loggers(trainer):
            with surviving(logger):
                for figure in registered():
                    if figure.mode:
                        name = f"val/{figure.name}"
                        logger.experiment.define_metric(name, summary=figure.mode, step_metric="trainer/global_step")

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit" or not isinstance(pl_module, HasCodeUsage):
            return
        if pl_module.code_usage:
            for logger in wandb_loggers(trainer):
                with surviving(logger):
                    logger.experiment.log(_usage(pl_module.code_usage))

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        boards = pl_module.scoreboards if isinstance(pl_module, HasScoreboards) else {}
        for logger in wandb_loggers(trainer):
            with surviving(logger):
                for split, board in boards.items():
                    panels = {f"{split}/scoreboard": _table(board["rows"]), **_horizon(split, board["rows"])}
                    logger.experiment.log(panels)
                    for figure, value in board["rows"]["model"].items():
                        if is_number(value):
                            logger.experiment.summary[f"{split}/{figure}"] = value_of(value)


def _usage(code_usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the panels ``codes/``: histograms over the codebook, the number of used codes and perplexities."""
    import wandb

    panels: dict[str, Any] = {f"codes/{name}": value for name, value in code_usage.items() if name != "counts"}
    for part, counts in code_usage["counts"].items():
        edges = np.linspace(0, len(counts), min(BINS, len(counts)) + 1).round().astype(int)
        histogram = np.add.reduceat(np.asarray(counts), edges[:-1])
        panels[f"codes/usage_{part}"] = wandb.Histogram(np_histogram=(histogram.tolist(), edges.tolist()))
    return panels


def _table(rows: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return a scoreboard as a table with one line per row. The ends of an interval are columns beside its figure."""
    import wandb

    columns: dict[str, None] = {}
    lines = []
    for name, row in rows.items():
        line: dict[str, Any] = {"row": name}
        for figure, value in row.items():
            if isinstance(value, dict) and "value" in value:
                line |= {figure: value["value"]}
                line |= {f"{figure} {end}": value[end] for end in ("low", "high") if end in value}
            elif isinstance(value, int | float):
                line[figure] = value
        columns |= dict.fromkeys(line)
        lines.append(line)
    return wandb.Table(columns=list(columns), data=[[line.get(name) for name in columns] for line in lines])


def _horizon(split: str, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the panel ``SPLIT/horizon``: the error of each row by predicted frame; nothing if no row has one."""
    import wandb

    curves = {name: points_of(row["horizon"]) for name, row in rows.items() if isinstance(row.get("horizon"), list)}
    if not curves:
        return {}
    frames, errors = zip(*curves.values(), strict=True)
    series = wandb.plot.line_series(
        list(frames), list(errors), list(curves), "error by predicted frame, px", "frames after the context"
    )
    return {f"{split}/horizon": series}
