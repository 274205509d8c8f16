"""ReconstructionFigures: figures of frames, accumulated over a split.

Clips are compared as they are stored, in uint8. Figures are kept clip by clip, so that they do not depend on the
batches or the number of processes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from trajvq.io.arrays import Bytes, Floats
from trajvq.metrics.intervals import Interval, bootstrap, bootstrap_ratio, wilson
from trajvq.metrics.reconstruction.objects import clip_figures, moving_figures
from trajvq.metrics.reconstruction.ssim import WINDOW, pictures_of, ssim
from trajvq.metrics.reconstruction.truth import Truth

LEAST_SQUARE_ERROR = 1e-10  # mean square error at which PSNR stops rising, 100 dB
FRAME_FIGURES = ("square_error", "object_square_error", "object_pixels", "surplus")
OBJECT_FIGURES = ("valid", "visible", "centroid_error", "radius_error", "color_error")  # summed over a frame's objects
MOVING_FIGURES = ("moving_square_error", "moving_pixels")
OTHER_STATES = ("similarity", "index", "own_values", "distance", "moves")


class ReconstructionFigures(Metric):
    """Accumulates `clip_figures` over batches and processes.

    ``compute`` returns the number of ``clips``, of ``still_clips`` and of ``empty_clips`` (no object), ``mse``,
    ``moving_mse`` (of the clips that are not still, if there are any), ``psnr``, ``surplus``, ``object_psnr``,
    ``visible``, ``centroid_error``, ``centroid_p95``, ``radius_error`` and ``color_error`` as floats; in full also
    ``ssim`` if frames are large enough for it, ``moving_psnr`` if a clip moves, ``intervals`` and ``per_clip``. Figures
    of objects are means over the object-frames in which one is visible, and left out if there is none.

    Args:
        full: Also compute SSIM and the PSNR of moving pixels, which take time.
        own: Names of the user's figures, one value per clip each; see `trajvq.metrics.figures.ClipFigure`.
    """

    full_state_update = False

    def __init__(self, full: bool = True, own: Sequence[str] = ()) -> None:
        super().__init__()
        self.full, self.own = full, tuple(own)
        self.similarity: list[Tensor]
        self.index: list[Tensor]
        self.own_values: list[Tensor]
        self.distance: list[Tensor]  # of every valid object-frame
        self.moves: list[Tensor]  # whether anything moves in a clip
        for name in (*FRAME_FIGURES, *OBJECT_FIGURES, *MOVING_FIGURES, *OTHER_STATES):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, truth: Truth, video: Bytes, index: Tensor | None = None, own_values: Tensor | None = None) -> None:
        """Add a batch of reconstructions.

        Args:
            truth: Of B clips.
            video: uint8 ``(B, T, 3, H, W)``, their reconstructions.
            index: int64 ``(B,)``: numbers of the clips, for ``per_clip``.
            own_values: float ``(B, F)``: the user's figures, in the order of ``own``.
        """
        if index is not None:
            self.index.append(index)
        figures = clip_figures(truth, video)
        valid = figures["valid"] > 0
        self.distance.append(torch.from_numpy(figures["centroid_error"][valid]).to(self.device, torch.float32))
        figures |= {name: np.where(valid, figures[name], 0.0).sum(axis=2) for name in OBJECT_FIGURES}
        self.moves.append(torch.from_numpy(truth.moves).to(self.device, torch.float32))
        if self.full:
            figures |= moving_figures(truth, video)
            if min(video.shape[-2:]) >= WINDOW:
                similarity = ssim(pictures_of(video), *truth.pictures)
                self.similarity.append(similarity.view(video.shape[:2]).to(self.device))
        for name, value in figures.items():
            getattr(self, name).append(torch.from_numpy(value).to(self.device, torch.float32))
        if own_values is not None:
            self.own_values.append(own_values.detach().to(self.device))

    def compute(self) -> dict[str, Any]:
        names = (*FRAME_FIGURES, *OBJECT_FIGURES, *(MOVING_FIGURES if self.full else ()))
        frames = {name: dim_zero_cat(getattr(self, name)).double() for name in names}
        own = self._own()
        objects = frames["valid"]
        mse = float(frames["square_error"].mean())
        row: dict[str, Any] = {"clips": len(objects), "mse": mse, "psnr": psnr(mse)}
        row["surplus"] = float(frames["surplus"].mean())
        moves = dim_zero_cat(self.moves) > 0
        row |= {"still_clips": int((~moves).sum()), "empty_clips": int((objects.sum(dim=1) == 0).sum())}
        if moves.any():
            row["moving_mse"] = float(frames["square_error"][moves].mean())
        if self.full:
            pixels = frames["moving_pixels"].sum(dim=1)
            if pixels.any():
                row["moving_psnr"] = psnr(float(frames["moving_square_error"].sum() / pixels.sum()))
            row["intervals"] = _intervals(frames) | {name: bootstrap(values) for name, values in own.items()}
            if len(self.similarity):
                row["ssim"] = float(dim_zero_cat(self.similarity).double().mean())
            if len(self.index):
                row["per_clip"] = self._per_clip(frames)
        row |= {name: float(values.mean()) for name, values in own.items()}
        if not objects.any():
            return row
        counted = objects > 0
        pixels = frames["object_pixels"][counted].sum().clamp(min=1)
        means = {name: float(frames[name].sum() / objects.sum()) for name in OBJECT_FIGURES[1:]}
        return row | {
            "object_psnr": psnr(float(frames["object_square_error"][counted].sum() / pixels)),
            "visible": means["visible"],
            "centroid_error": means["centroid_error"],
            "centroid_p95": float(np.quantile(dim_zero_cat(self.distance).double().cpu().numpy(), 0.95)),
            "radius_error": means["radius_error"],
            "color_error": means["color_error"],
        }

    def _own(self) -> dict[str, Floats]:
        """Return ``(N,)`` values of each of the user's figures."""
        if not len(self.own_values):
            return {}
        values = dim_zero_cat(self.own_values).double().cpu().numpy()
        return dict(zip(self.own, values.T, strict=True))

    def _per_clip(self, frames: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ``index`` ``(N,)`` and, in its order, figures: ``(N, T)``, NaN in frames without a visible object.

        Those of objects are means over the objects of a frame.
        """
        index = dim_zero_cat(self.index)
        order = index.argsort(stable=True)
        names = ("centroid_error", "visible", "color_error")
        values = {name: frames[name] / frames["valid"] for name in names}  # 0 / 0 is NaN
        values["surplus"], values["mse"] = frames["surplus"], frames["square_error"]
        values |= {name: torch.from_numpy(own).to(order.device) for name, own in self._own().items()}
        return {"index": index[order].cpu()} | {name: value[order].float().cpu() for name, value in values.items()}


def _intervals(frames: Mapping[str, Tensor]) -> dict[str, Interval]:
    """Return 95 % intervals of ``moving_psnr``, ``surplus`` and the figures of objects over clips.

    Args:
        frames: ``(N, T)`` figures of frames.
    """
    figures = {name: value.cpu().numpy() for name, value in frames.items()}
    moving = _moving_interval(figures) | {"surplus": bootstrap(figures["surplus"].mean(axis=1))}
    valid = figures["valid"]
    counts = valid.sum(axis=1)
    clips = counts > 0
    if not clips.any():
        return moving

    def total(name: str) -> Floats:
        return np.asarray(np.where(valid > 0, figures[name], 0.0).sum(axis=1)[clips])

    counts = counts[clips]
    visible = float(total("visible").sum() / counts.sum())
    error = bootstrap_ratio(total("object_square_error"), total("object_pixels"))
    return moving | {
        "visible": wilson(visible * len(counts), len(counts)),
        "centroid_error": bootstrap_ratio(total("centroid_error"), counts),
        "object_psnr": psnr_interval(error),
    }


def _moving_interval(figures: Mapping[str, Floats]) -> dict[str, Interval]:
    """Return the 95 % interval of ``moving_psnr`` over the clips that move; empty without any."""
    error, pixels = (figures[name].sum(axis=1) for name in MOVING_FIGURES)
    moves = pixels > 0
    return {"moving_psnr": psnr_interval(bootstrap_ratio(error[moves], pixels[moves]))} if moves.any() else {}


def psnr(square_error: float) -> float:
    """Return the peak signal-to-noise ratio of a mean square error of values in [0, 1], in dB, at most 100."""
    return float(-10 * np.log10(max(square_error, LEAST_SQUARE_ERROR)))


def psnr_interval(error: Interval) -> Interval:
    """Return `psnr` of a mean square error with its interval."""
    return {"value": psnr(error["value"]), "low": psnr(error["high"]), "high": psnr(error["low"])}


def skill(mse: float, trivial: Mapping[str, float]) -> float:
    """Return the skill score 1 - mse / lowest trivial mse: 0 is no better than a trivial row, 1 is perfect.

    Args:
        mse: Of a row, over the clips in which something moves: a trivial row is exact for the others.
        trivial: Mean square error of every trivial row over the same clips.
    """
    lowest = min(trivial.values())
    return 1 - mse / lowest if lowest > 0 else float(mse == 0)
