"""ReconstructionScoreboard: figures of a tokenizer's reconstructions beside those of trivial rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from trajvq.errors import UserError
from trajvq.io.arrays import Bytes
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.figures import ClipFigure
from trajvq.metrics.reconstruction.baselines import TRIVIAL
from trajvq.metrics.reconstruction.codes import CodeUsage, bits
from trajvq.metrics.reconstruction.metric import ReconstructionFigures, skill
from trajvq.metrics.reconstruction.truth import background_of, truth_of


class ReconstructionScoreboard(nn.Module):
    """Accumulates reconstruction figures of a model and of the trivial rows over one split.

    Args:
        codebook_size: Number of codes; None leaves out the figures of tokens.
        strides: Frames, rows and columns that a token covers.
        full: Compute every figure of every row. Otherwise, for speed, leave out SSIM and the user's figures, and
            compute only the MSE of trivial rows.
        figures: The user's own figures, each a module that is a `trajvq.metrics.figures.ClipFigure`.

    Raises:
        UserError: If one of ``figures`` is not registered.
    """

    def __init__(
        self,
        codebook_size: int | None = None,
        strides: tuple[int, int, int] = (1, 1, 1),
        full: bool = True,
        figures: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__()
        self.full, self.codebook_size, self.strides, self.tokens = full, codebook_size, strides, 0
        own = _names(figures)
        self.figures = nn.ModuleList(figures if full else ())
        self.model = ReconstructionFigures(full, own)
        self.codes = CodeUsage(codebook_size, strides) if codebook_size else None
        self.rows = nn.ModuleDict({n: ReconstructionFigures(own=own) if full else MeanMetric() for n in TRIVIAL})
        self.tracked = False

    def update(self, batch: Mapping[str, Tensor], reconstruction: Tensor, indices: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            batch: ``video`` float ``(B, 3, T, H, W)`` in [0, 1] and, where it is stored, the ground truth.
            reconstruction: Float, of the same shape.
            indices: Its tokens, int64 ``(B, t, h, w)``.
        """
        truth = truth_of(batch)
        self.tracked = "pixel" not in batch
        video, background = batch["video"], background_of(batch)
        stored = to_uint8(reconstruction)
        self.model.update(truth, stored, batch.get("index"), self._own_values(stored, video, background))
        for name, baseline in TRIVIAL.items():
            trivial, figures = baseline(video, background), self.rows[name]
            if isinstance(figures, ReconstructionFigures):
                stored = to_uint8(trivial)
                figures.update(truth, stored, own_values=self._own_values(stored, video, background))
            elif isinstance(figures, MeanMetric):
                figures.update(_mean_square_error(video, trivial))
        if self.codes is not None and indices is not None:
            self.tokens = indices[0].numel()
            self.codes.update(indices, torch.from_numpy(truth.pixel).to(indices.device))

    def compute(self) -> dict[str, Any]:
        """Return ``{"clips", "truth": "stored" or "tracked", "rows": {name: {figure: number}}}``, the model last.

        A full scoreboard also holds ``"intervals"``: ``{row: {figure: {"value", "low", "high"}}}``, and, for clips with
        an ``index``, ``"per_clip"``: ``{"index": (N,), figure: (N, T) or (N,)}``. With tokens it holds ``"counts"``,
        the usage of every code.
        """
        rows: dict[str, dict[str, Any]] = {}
        for name, figures in self.rows.items():
            row = figures.compute()  # type: ignore[operator]
            rows[name] = row if self.full else {"mse": float(row)}
        rows["model"] = self.model.compute()
        clips = int(rows["model"]["clips"])
        intervals = {name: row.pop("intervals", {}) for name, row in rows.items()}
        for row in rows.values():
            row.pop("clips", None)
        board: dict[str, Any] = {"clips": clips, "truth": "tracked" if self.tracked else "stored", "rows": {}}
        if "per_clip" in rows["model"]:
            board["per_clip"] = rows["model"].pop("per_clip")
        if self.codes is not None and self.codebook_size:
            usage = self.codes.compute()
            board["counts"] = usage.pop("counts")
            rows["model"] |= {"bits": bits(self.tokens, self.codebook_size), **usage}
        trivial = {name: rows[name]["mse"] for name in TRIVIAL}
        board["rows"] = {name: {"skill": skill(row["mse"], trivial), **row} for name, row in rows.items()}
        return board | {"intervals": intervals} if self.full else board

    def reset(self) -> None:
        """Forget all batches."""
        for metric in (self.model, self.codes, *self.rows.values()):
            if metric is not None:
                metric.reset()  # type: ignore[operator]

    def _own_values(self, stored: Bytes, video: Tensor, background: Tensor) -> Tensor | None:
        """Return the user's figures ``(B, F)`` of reconstructions uint8 ``(B, T, 3, H, W)``; None without any."""
        if not len(self.figures):
            return None
        reconstruction = to_float(torch.from_numpy(stored)).to(video.device)
        columns = [figure(reconstruction, video, background) for figure in self.figures]
        for name, values in zip(_names(self.figures), columns, strict=True):
            if values.shape != (len(video),):
                shape = tuple(values.shape)
                raise UserError(f"figure {name!r} returned {shape} for {len(video)} clips; return one value for each")
        return torch.stack(columns, dim=1)


def _names(figures: Iterable[nn.Module]) -> list[str]:
    """Return the names of the user's figures."""
    for figure in figures:
        if not isinstance(figure, ClipFigure):
            name = type(figure).__name__
            raise UserError(f"{name} has no entry; give the class `figure = trajvq.metrics.figures.register(...)`")
    return [figure.figure.name for figure in figures if isinstance(figure, ClipFigure)]


def _mean_square_error(video: Tensor, reconstruction: Tensor) -> Tensor:
    """Return ``(B,)`` mean square errors of clips as they would be stored; faster than by way of uint8."""
    steps = (reconstruction.clamp(0, 1) * 255).round_() - (video * 255).round_()
    return (steps.square_() / 255**2).mean(dim=(1, 2, 3, 4))
