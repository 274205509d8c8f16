"""WandbPanels: what W&B shows beside the figures that tasks log: best values, use of codes, scoreboards.

Panels group by the first word of a name: ``train/``, ``val/``, ``test/`` (and ``ood_.../``), ``media/``, ``codes/``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.loggers import WandbLogger

from trajvq.metrics.scoreboard import value_of

BINS = 64  # of the histogram over the codebook
BEST = {
    **dict.fromkeys(("skill", "visible", "accuracy", "codes_used"), "max"),
    **dict.fromkeys(("mse", "centroid_error", "loss", "nll", "ade"), "min"),
}


class WandbPanels(L.Callback):
    """Fills W&B's panels where the run logs there, offline as well as online; gradients are left out.

    In training: the summary keeps the best value of the ``val/`` figures in `BEST`, and after each validation
    ``codes/`` shows how often each part of the codebook is used, and perplexities. In a test: a table a scoreboard,
    ``test/scoreboard``, and the error by frame predicted, ``test/horizon``, where there is one.
    """

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for run in _runs(trainer):
            for name, best in BEST.items():
                run.define_metric(f"val/{name}", summary=best, step_metric="trainer/global_step")

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        found = getattr(pl_module, "code_usage", None)
        if trainer.sanity_checking or trainer.state.fn != "fit" or not found:
            return
        for run in _runs(trainer):
            run.log(_usage(found))

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        boards: Mapping[str, Any] = getattr(pl_module, "scoreboards", {})
        for run in _runs(trainer):
            for split, board in boards.items():
                run.log({f"{split}/scoreboard": _table(board["rows"]), **_horizon(split, board["rows"])})
                for figure, value in board["rows"]["model"].items():
                    if isinstance(value, int | float) or (isinstance(value, dict) and "value" in value):
                        run.summary[f"{split}/{figure}"] = value_of(value)


def _runs(trainer: L.Trainer) -> Iterator[Any]:
    """Yield the W&B runs that this process logs to."""
    if trainer.is_global_zero:
        yield from (logger.experiment for logger in trainer.loggers if isinstance(logger, WandbLogger))


def _usage(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return panels of ``codes/``: a histogram over the codebook, codes used and perplexities."""
    import wandb

    made: dict[str, Any] = {f"codes/{name}": value for name, value in found.items() if name != "counts"}
    for name, counts in found["counts"].items():
        edges = np.linspace(0, len(counts), min(BINS, len(counts)) + 1).round().astype(int)
        held = np.add.reduceat(np.asarray(counts), edges[:-1])
        made[f"codes/usage_{name}"] = wandb.Histogram(np_histogram=(held.tolist(), edges.tolist()))
    return made


def _table(rows: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return a scoreboard as a table: a row a line, figures with an interval followed by its ends."""
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
    import wandb

    held = {name: row["horizon"] for name, row in rows.items() if isinstance(row.get("horizon"), list)}
    if not held:
        return {}
    frames = list(range(1, len(next(iter(held.values()))) + 1))
    series = wandb.plot.line_series(
        frames, list(held.values()), list(held), "error by frame predicted, px", "frames ahead"
    )
    return {f"{split}/horizon": series}
