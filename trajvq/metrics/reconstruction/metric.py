"""The reconstruction figures: how much of the clip, and of the object, a reconstruction keeps.

Clips are compared as they would be stored, in uint8. Figures are kept a clip at a time, so that they
are the same whatever the batches and processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from trajvq.io.arrays import Floats
from trajvq.io.video import to_uint8
from trajvq.metrics.background import estimate_background, stored_background
from trajvq.metrics.intervals import Interval, bootstrap_ratio, wilson
from trajvq.metrics.reconstruction.ssim import ssim
from trajvq.metrics.tracking import Tracks, contrast_of, track

MISSING = 32.0  # px charged for a frame without object
NEAR = 8.0  # px within which an object counts as the object
AROUND = 2.0  # px around the object that `object_psnr` looks at
PSNR_FLOOR = 1e-10  # mean square at which PSNR stops rising, 100 dB


@dataclass(frozen=True)
class Truth:
    """Where the object of N clips truly is, and what it looks like.

    Attributes:
        video: uint8 ``(N, T, 3, H, W)``.
        background: uint8 ``(N, 1, 3, H, W)``.
        pixel: ``(N, T, 2)`` true (x, y); NaN where nothing was found in a tracked target.
        radius: ``(N, T)`` pixels.
        color: ``(N, 3)`` in [0, 1].
        contrast: ``(N,)`` mean absolute difference between object and background in [0, 1].
        valid: bool ``(N, T)``: frames in which the object can be seen.
    """

    video: NDArray[np.uint8]
    background: NDArray[np.uint8]
    pixel: NDArray[np.float64]
    radius: NDArray[np.float64]
    color: NDArray[np.float64]
    contrast: NDArray[np.float64]
    valid: NDArray[np.bool_]


def background_of(batch: Mapping[str, Tensor]) -> Tensor:
    """Return a batch's background, float ``(B, 3, 1, H, W)``: stored, or else estimated."""
    if "background" in batch:
        return stored_background(batch["background"], batch["video"])
    return estimate_background(batch["video"])


def truth_of(batch: Mapping[str, Tensor]) -> Truth:
    """Collect the ground truth of a batch; without a stored one, the tracked target is the truth."""
    video = to_uint8(batch["video"])
    background = to_uint8(background_of(batch))
    if "pixel" in batch:
        pixel = batch["pixel"].double().cpu().numpy()
        radius = batch["radius"].double().cpu().numpy()
        color = batch["color"].double().cpu().numpy() / 255
        ground = background / 255.0
        if background.std(axis=(3, 4)).any():
            contrast = np.quantile(contrast_of(video, background), 0.999, axis=(1, 2, 3)).astype(np.float64)
        else:
            contrast = np.abs(color - ground[:, 0, :, 0, 0]).mean(axis=-1)
    else:
        seen = track(video, background)
        pixel, radius = seen.pixel, seen.radius
        shown = seen.present
        color = np.stack(
            [np.median(c[p], axis=0) if p.any() else np.zeros(3) for c, p in zip(seen.color, shown, strict=True)]
        )
        contrast = np.median(contrast_of(video, background).max(axis=(2, 3)), axis=1).astype(np.float64)
    valid = np.isfinite(pixel).all(axis=-1)
    if "occluded" in batch:
        valid = valid & ~batch["occluded"].cpu().numpy()
    return Truth(video, background, pixel, radius, color, contrast, valid)


def _near(pixel: NDArray[np.float64], radius: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """Return ``(N, T, H, W)``: pixels within `AROUND` of a disc; none where the centre is NaN."""
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    dx = columns - pixel[..., :1]
    dy = rows - pixel[..., 1:]
    squared = dy[..., :, None] ** 2 + dx[..., None, :] ** 2
    return np.asarray(squared <= (radius[..., None, None] + AROUND) ** 2)


def clip_figures(truth: Truth, video: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Compare stored clips with the truth.

    Args:
        truth: Of N clips.
        video: uint8 ``(N, T, 3, H, W)``, the reconstructions.

    Returns:
        ``(N, T)`` figures for every frame: ``square`` (mean square error), ``near_square`` and
        ``near`` (sum of square errors and number of values close to the object), ``valid``,
        ``visible``, ``centroid_error``, ``radius_error`` and ``color_error``.
    """
    height, width = video.shape[-2:]
    error = (video.astype(np.float32) - truth.video.astype(np.float32)) / 255
    square = np.square(error).mean(axis=2)
    seen: Tracks = track(video, truth.background, truth.contrast, np.pi * truth.radius**2)
    distance = np.linalg.norm(seen.pixel - truth.pixel, axis=-1)
    near = _near(truth.pixel, truth.radius, height, width) | _near(seen.pixel, seen.radius, height, width)
    lost = ~seen.present
    return {
        "square": square.mean(axis=(2, 3)).astype(np.float64),
        "near_square": (square * near).sum(axis=(2, 3)).astype(np.float64),
        "near": near.sum(axis=(2, 3)).astype(np.float64),
        "valid": truth.valid.astype(np.float64),
        "visible": ((seen.count == 1) & (distance <= NEAR)).astype(np.float64),
        "centroid_error": np.where(lost, MISSING, np.minimum(distance, MISSING)),
        "radius_error": np.where(lost, truth.radius, np.abs(seen.radius - truth.radius)),
        "color_error": 255
        * np.where(lost, truth.contrast[:, None], np.abs(seen.color - truth.color[:, None]).mean(-1)),
    }


class ReconstructionFigures(Metric):
    """Accumulates `clip_figures` over batches and processes.

    ``compute`` returns the number of ``clips``, ``mse``, ``psnr``, ``ssim``, ``object_psnr``, ``visible``,
    ``centroid_error``, ``centroid_p95``, ``radius_error`` and ``color_error`` as floats, with SSIM also ``intervals``
    and ``per_clip``; object figures are means over frames in which the object can be seen.

    Args:
        with_ssim: Also compute SSIM.
    """

    full_state_update = False
    FIGURES = ("square", "near_square", "near", "valid", "visible", "centroid_error", "radius_error", "color_error")

    def __init__(self, with_ssim: bool = True) -> None:
        super().__init__()
        self.with_ssim = with_ssim
        self.similarity: list[Tensor]
        self.index: list[Tensor]
        for name in (*self.FIGURES, "similarity", "index"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, truth: Truth, video: NDArray[np.uint8], index: Tensor | None = None) -> None:
        """Add a batch of reconstructions, uint8 ``(B, T, 3, H, W)``, and the clips' numbers for ``per_clip``."""
        if index is not None:
            self.index.append(index)
        for name, value in clip_figures(truth, video).items():
            getattr(self, name).append(torch.from_numpy(value).to(self.device, torch.float32))
        if self.with_ssim:
            target, made = (torch.from_numpy(v).flatten(0, 1).float() / 255 for v in (truth.video, video))
            self.similarity.append(ssim(made, target).view(video.shape[:2]).to(self.device))

    def compute(self) -> dict[str, Any]:
        figures = {name: dim_zero_cat(getattr(self, name)).double() for name in self.FIGURES}
        valid = figures["valid"].bool()
        mse = float(figures["square"].mean())
        near = float(figures["near_square"][valid].sum() / figures["near"][valid].sum().clamp(min=1))
        distance = figures["centroid_error"][valid]
        result: dict[str, Any] = {"clips": len(valid), "mse": mse, "psnr": _psnr(mse)}
        if self.with_ssim:
            result["intervals"] = self._intervals(figures)
            result["ssim"] = float(dim_zero_cat(self.similarity).double().mean())
            if len(self.index):
                result["per_clip"] = self._per_clip(figures)
        if not valid.any():
            return result
        return result | {
            "object_psnr": _psnr(near),
            "visible": float(figures["visible"][valid].mean()),
            "centroid_error": float(distance.mean()),
            "centroid_p95": float(distance.quantile(0.95)),
            "radius_error": float(figures["radius_error"][valid].mean()),
            "color_error": float(figures["color_error"][valid].mean()),
        }

    def _per_clip(self, held: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ``index`` (N,), and in its order figures of frames ``(N, T)``, NaN where there is nothing to see."""
        index = dim_zero_cat(self.index)
        order = index.argsort(stable=True)
        unseen = held["valid"] == 0
        named = {n: held[n].masked_fill(unseen, torch.nan) for n in ("centroid_error", "visible", "color_error")}
        named["mse"] = held["square"]
        return {"index": index[order].cpu()} | {n: value[order].float().cpu() for n, value in named.items()}

    def _intervals(self, held: Mapping[str, Tensor]) -> dict[str, Interval]:
        """Return 95 % intervals of ``visible``, ``centroid_error`` and ``object_psnr``, over clips."""
        figures = {name: value.cpu().numpy() for name, value in held.items()}
        valid = figures["valid"]
        frames = valid.sum(axis=1)
        rows = frames > 0
        if not rows.any():
            return {}

        def of(name: str) -> Floats:
            shown = np.where(valid > 0, figures[name], 0.0)  # where nothing is charged there may be no truth
            return np.asarray(shown.sum(axis=1)[rows])

        count = frames[rows]
        visible = float(of("visible").sum() / count.sum())
        near = bootstrap_ratio(of("near_square"), of("near"))
        return {
            "visible": wilson(visible * len(count), len(count)),
            "centroid_error": bootstrap_ratio(of("centroid_error"), count),
            "object_psnr": {"value": _psnr(near["value"]), "low": _psnr(near["high"]), "high": _psnr(near["low"])},
        }


def _psnr(square: float) -> float:
    return float(-10 * np.log10(max(square, PSNR_FLOOR)))


def skill(mse: float, trivial: Mapping[str, float]) -> float:
    """Return 1 - mse / lowest trivial mse: 0 is as good as nothing, 1 is perfect."""
    lowest = min(trivial.values())
    return 1 - mse / lowest if lowest > 0 else float(mse == 0)
