"""ReconstructionScoreboard: figures of reconstructions beside those of the target, trivial rows and H.264."""

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from trajvq.data.storage.clips import Clips
from trajvq.errors import UserError
from trajvq.io.arrays import Bytes, Floats
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.figures import ClipFigure
from trajvq.metrics.reconstruction.baselines import TRIVIAL
from trajvq.metrics.reconstruction.codes import CodeUsage, bits
from trajvq.metrics.reconstruction.h264 import H264, choose_setting, is_available, sample_size
from trajvq.metrics.reconstruction.ideal import TokenCounts
from trajvq.metrics.reconstruction.metric import ReconstructionFigures, skill
from trajvq.metrics.reconstruction.ssim import LEFT_OUT, WINDOW
from trajvq.metrics.reconstruction.truth import truth_of
from trajvq.metrics.scoreboard import TARGET

COUNTS = ("clips", "still_clips", "empty_clips")


class ReconstructionScoreboard(nn.Module):
    """Accumulates reconstruction figures of a model, of the target and of the trivial rows over one split.

    The row ``target`` has the target as its own reconstruction: its errors are the tracker's.

    Args:
        codebook_size: Number of codes, or that of each of several codebooks; None leaves out the figures of tokens.
        strides: Frames, rows and columns that a token covers.
        full: Compute every figure of every row. Otherwise, for speed, leave out SSIM and the user's figures, and
            compute only the MSE of trivial rows.
        figures: The user's own figures, each a module that is a `trajvq.metrics.figures.ClipFigure`.
        h264: Encoder of a further row, ``h264``, in a full scoreboard; None leaves it out.
        train_counts: Tokens of ``train``, for ``bits_ideal``; None leaves it out.
        remarks: Lines that the scoreboard says beside its figures.

    Raises:
        UserError: If one of ``figures`` is not registered.
    """

    def __init__(
        self,
        codebook_size: int | Sequence[int] | None = None,
        strides: tuple[int, int, int] = (1, 1, 1),
        full: bool = True,
        figures: Sequence[nn.Module] = (),
        h264: H264 | None = None,
        train_counts: TokenCounts | None = None,
        remarks: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.full, self.codebook_size, self.strides, self.cells = full, codebook_size, strides, 0
        own = _names(figures)
        self.figures = nn.ModuleList(figures if full else ())
        self.model = ReconstructionFigures(full, own)
        self.codes = CodeUsage(codebook_size, strides) if codebook_size else None
        self.rows = nn.ModuleDict({n: ReconstructionFigures(own=own) if full else MeanMetric() for n in TRIVIAL})
        self.target = ReconstructionFigures(own=own) if full else None
        self.h264, self.train_counts, self.remarks = h264 if full else None, train_counts, tuple(remarks)
        if self.h264:
            self.rows["h264"] = ReconstructionFigures(own=own)
        names = [*(("bits", "bits_beyond_still") if self.h264 else ()), *(("bits_ideal",) if train_counts else ())]
        self.lengths = nn.ModuleDict({name: MeanMetric() for name in names})
        self.tracked, self.window = False, WINDOW

    def update(self, batch: Mapping[str, Tensor], reconstruction: Tensor, indices: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            batch: ``video`` float ``(B, 3, T, H, W)`` in [0, 1] and, where it is stored, the ground truth.
            reconstruction: Float, of the same shape.
            indices: Its tokens, int64 ``(B, t, h, w)``, or ``(B, q, t, h, w)`` of q codebooks.
        """
        truth = truth_of(batch)
        self.tracked = "pixel" not in batch
        video = batch["video"]
        background = to_float(torch.from_numpy(truth.background).to(video.device))
        rows = [(self.model, to_uint8(reconstruction))]
        if self.target is not None:
            rows.append((self.target, truth.video))
        self.window = min(video.shape[-2:])
        for name, baseline in TRIVIAL.items():
            trivial, figures = baseline(video, background), self.rows[name]
            if isinstance(figures, ReconstructionFigures):
                rows.append((figures, to_uint8(trivial)))
            elif isinstance(figures, MeanMetric):
                figures.update(_mean_square_error(video, trivial)[torch.from_numpy(truth.moves).to(video.device)])
        if self.h264 is not None:
            figures, coded = self.rows["h264"], self.h264.encode(truth.video, truth.background)
            assert isinstance(figures, ReconstructionFigures)
            rows.append((figures, coded.video))
            self._add_lengths({"bits": coded.bits, "bits_beyond_still": coded.bits_beyond_still})
        numbers = [batch.get("index"), *[None] * (len(rows) - 1)]  # only the model has figures by clip
        own = [self._own_values(clips, video, background) for _, clips in rows]
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:  # NumPy and PyTorch leave others the lock
            updates = [
                threads.submit(figures.update, truth, clips, index, values)
                for (figures, clips), index, values in zip(rows, numbers, own, strict=True)
            ]
        for update in updates:
            update.result()
        if self.train_counts is not None and indices is not None:
            self._add_lengths({"bits_ideal": self.train_counts.code_length(indices)})
        if self.codes is not None and indices is not None:
            self.cells = indices.shape[-3:].numel()
            self.codes.update(indices, torch.from_numpy(truth.pixel).to(indices.device))

    def _add_lengths(self, lengths: Mapping[str, Floats]) -> None:
        """Add lengths of clips, ``(B,)`` bits each."""
        for name, values in lengths.items():
            mean = self.lengths[name]
            assert isinstance(mean, MeanMetric)
            mean.update(torch.from_numpy(values).to(mean.device, torch.float32))

    def compute(self) -> dict[str, Any]:
        """Return ``{"clips", "truth": "stored" or "tracked", "rows": {name: {figure: number}}}``, the model last.

        A full scoreboard has some figures with their interval, ``{"value", "low", "high"}``, and also holds
        ``"still_clips"``, ``"remarks"``: lines of text, and, for clips with an ``index``, ``"per_clip"``: ``{"index":
        (N,), figure: (N, T) or (N,)}``. With tokens it holds ``"counts"``, the usage of every code.
        """
        rows: dict[str, dict[str, Any]] = {} if self.target is None else {TARGET: self.target.compute()}
        for name, figures in self.rows.items():
            row = figures.compute()  # type: ignore[operator]
            rows[name] = row if self.full else {"moving_mse": float(row)}
        rows["model"] = self.model.compute()
        clips, still, empty = (int(rows["model"][name]) for name in COUNTS)
        for row in rows.values():
            row |= row.pop("intervals", {})
        if still < clips:
            trivial = {name: rows[name]["moving_mse"] for name in TRIVIAL}
            rows = {name: {"skill": skill(row["moving_mse"], trivial), **row} for name, row in rows.items()}
        for row in rows.values():
            for name in (*COUNTS, "moving_mse"):
                row.pop(name, None)
        board: dict[str, Any] = {"clips": clips, "truth": "tracked" if self.tracked else "stored", "rows": {}}
        if "per_clip" in rows["model"]:
            board["per_clip"] = rows["model"].pop("per_clip")
        lengths = {name: float(mean.compute()) for name, mean in self.lengths.items()}  # type: ignore[operator]
        if self.codes is not None and self.codebook_size:
            usage = self.codes.compute()
            board["counts"] = usage.pop("counts")
            rows["model"] |= {"bits": bits(self.cells, self.codebook_size), **usage}
            if "bits_ideal" in lengths:
                rows["model"]["bits_ideal"] = min(lengths.pop("bits_ideal"), rows["model"]["bits"])
        if self.h264 is not None:
            rows["h264"] |= lengths
        board["rows"] = rows
        if not self.full:
            return board
        return board | {"still_clips": still, "remarks": self._remarks(clips, still, empty, lengths)}

    def _remarks(self, clips: int, still: int, empty: int, lengths: Mapping[str, float]) -> list[str]:
        remarks = [*self.remarks, *([self.h264.remark(lengths["bits"])] if self.h264 else [])]
        if still:
            left_out = "" if still < clips else ", which are left out"
            figures = f"skill and moving_psnr{left_out}"
            remarks.append(f"nothing moves in {still} of {clips} clips: they do not count in {figures}")
        if empty:
            remarks.append(f"no object stands out from the background in {empty} of {clips} clips")
        if self.window < WINDOW:
            remarks.append(LEFT_OUT)
        return remarks

    def reset(self) -> None:
        """Forget all batches."""
        for metric in (self.model, self.target, self.codes, *self.rows.values(), *self.lengths.values()):
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


def scoreboard_for(
    clips: Clips,
    codebook_size: int | Sequence[int] | None,
    strides: tuple[int, int, int],
    figures: Sequence[nn.Module] = (),
    train_tokens: Tensor | None = None,
) -> ReconstructionScoreboard:
    """Return a full scoreboard for a split. What it has to leave out, it says.

    With tokens it has the row ``h264``, where PyAV with x264 is installed, at the setting nearest to the tokens' bits
    on clips spread evenly over the split. Every process of a run chooses the same.

    Args:
        clips: The split.
        codebook_size: See `ReconstructionScoreboard`, as for the next two.
        strides: Frames, rows and columns that a token covers.
        figures: The user's own figures.
        train_tokens: int64 ``(N, t, h, w)``: the tokens of ``train``, for ``bits_ideal``; None where there are none.
    """
    if codebook_size is None:
        return ReconstructionScoreboard(figures=figures)
    remarks, encoder = [], None
    if is_available():
        sample = np.linspace(0, len(clips) - 1, min(sample_size(clips.shape), len(clips))).round().astype(int)
        frames, _, height, width = clips.shape
        # Rounded up, since the first latent frame of a causal tokenizer covers a single frame.
        cells = math.prod(-(-size // stride) for size, stride in zip((frames, height, width), strides, strict=True))
        video = clips.batch(sample.tolist())["video"].numpy()
        encoder = choose_setting(video, bits(cells, codebook_size))
    else:
        remarks.append("row h264 is left out: it needs PyAV with x264; install it with `pip install 'trajvq[import]'`")
    if train_tokens is None:
        remarks.append("bits_ideal is left out: it needs the tokens of a split train")
    counts = None
    if train_tokens is not None:
        assert isinstance(codebook_size, int)  # tasks have one codebook
        counts = TokenCounts(train_tokens, codebook_size)
    return ReconstructionScoreboard(codebook_size, strides, True, figures, encoder, counts, remarks)


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
