"""A scoreboard: the figures of a model beside the rows that it should not lose to."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from trajvq.io.video import to_uint8
from trajvq.metrics.reconstruction.baselines import TRIVIAL
from trajvq.metrics.reconstruction.codes import CodeUsage, bits
from trajvq.metrics.reconstruction.metric import ReconstructionFigures, background_of, skill, truth_of


class ReconstructionScoreboard(nn.Module):
    """Accumulates reconstruction figures of a model and of the trivial rows over one split.

    Args:
        codebook_size: Number of codes; None leaves out what needs tokens.
        strides: Frames, rows and columns a token covers.
        full: Every figure for every row; otherwise, for speed, no SSIM and only the MSE of trivial rows.
    """

    def __init__(
        self, codebook_size: int | None = None, strides: tuple[int, int, int] = (1, 1, 1), full: bool = True
    ) -> None:
        super().__init__()
        self.full, self.codebook_size, self.strides, self.tokens = full, codebook_size, strides, 0
        self.model = ReconstructionFigures(with_ssim=full)
        self.codes = CodeUsage(codebook_size, strides) if codebook_size else None
        self.rows = nn.ModuleDict({name: ReconstructionFigures() if full else MeanMetric() for name in TRIVIAL})
        self.tracked = False

    def update(self, batch: Mapping[str, Tensor], reconstruction: Tensor, indices: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            batch: ``video`` float ``(B, 3, T, H, W)`` in [0, 1] and, where there is one, the ground truth.
            reconstruction: The same shape.
            indices: Its tokens, int64 ``(B, t, h, w)``.
        """
        truth = truth_of(batch)
        self.tracked = "pixel" not in batch
        self.model.update(truth, to_uint8(reconstruction), batch.get("index"))
        background = background_of(batch)
        for name, row in TRIVIAL.items():
            made, figures = row(batch["video"], background), self.rows[name]
            if isinstance(figures, ReconstructionFigures):
                figures.update(truth, to_uint8(made))
            elif isinstance(figures, MeanMetric):
                figures.update(_mean_square(batch["video"], made))
        if self.codes is not None and indices is not None:
            self.tokens = indices[0].numel()
            self.codes.update(indices, torch.from_numpy(truth.pixel).to(indices.device))

    def compute(self) -> dict[str, Any]:
        """Return ``{"clips", "truth": "stored" or "tracked", "rows": {name: {figure: number}}}``, the model last.

        A full scoreboard also holds ``"intervals"``: ``{row: {figure: {"value", "low", "high"}}}``, and, of clips with
        an ``index``, ``"per_clip"``: ``{"index": (N,), figure: (N, T)}``. With tokens there is ``"counts"``, the usage
        of every code.
        """
        rows: dict[str, dict[str, Any]] = {}
        for name, figures in self.rows.items():
            found = figures.compute()  # type: ignore[operator]
            rows[name] = found if self.full else {"mse": float(found)}
        rows["model"] = self.model.compute()
        clips = int(rows["model"]["clips"])
        intervals = {name: row.pop("intervals", {}) for name, row in rows.items()}
        for row in rows.values():
            row.pop("clips", None)
        beside: dict[str, Any] = {"per_clip": rows["model"].pop("per_clip")} if "per_clip" in rows["model"] else {}
        if self.codes is not None and self.codebook_size:
            usage = self.codes.compute()
            beside["counts"] = usage.pop("counts")
            rows["model"] |= {"bits": bits(self.tokens, self.codebook_size), **usage}
        floor = {name: rows[name]["mse"] for name in TRIVIAL}
        scored = {name: {"skill": skill(row["mse"], floor), **row} for name, row in rows.items()}
        found = {"clips": clips, "truth": "tracked" if self.tracked else "stored", "rows": scored, **beside}
        return found | {"intervals": intervals} if self.full else found

    def reset(self) -> None:
        """Forget all batches."""
        for metric in (self.model, self.codes, *self.rows.values()):
            if metric is not None:
                metric.reset()  # type: ignore[operator]


def written(task: str, split: str, seconds: float, checkpoint: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``scoreboards/SPLIT.json``: figures are numbers, or ``{"value", "low", "high"}``."""
    intervals = found.get("intervals", {})
    rows = {name: {**row, **intervals.get(name, {})} for name, row in found["rows"].items()}
    head = {"task": task, "split": split, "clips": found["clips"], "seconds": seconds, "checkpoint": checkpoint}
    judge = {"judge": found["judge"]} if "judge" in found else {}
    return {**head, "truth": found["truth"], **judge, "rows": rows}


def value_of(figure: Any) -> float:
    """Return a figure of a scoreboard without its interval."""
    return float(figure["value"] if isinstance(figure, dict) else figure)


def add_ood_ratios(models: Mapping[str, dict[str, Any]], figure: str) -> None:
    """Put ``ood_over_id`` beside the figures of every ``ood_`` split: one of them over the same on ``test``.

    Args:
        models: The row ``model`` of every split that was scored; without ``test`` there are no ratios.
        figure: Which.
    """
    known = value_of(models.get("test", {}).get(figure, 0.0))  # where nothing can be tracked there is no such figure
    for split, row in models.items():
        if split.startswith("ood_") and known > 0 and figure in row:
            row["ood_over_id"] = value_of(row[figure]) / known


def _mean_square(video: Tensor, made: Tensor) -> Tensor:
    """Return the mean square error ``(B,)`` of clips as they would be stored; faster than by way of uint8."""
    steps = (made.clamp(0, 1) * 255).round_() - (video * 255).round_()
    return (steps.square_() / 255**2).mean(dim=(1, 2, 3, 4))
