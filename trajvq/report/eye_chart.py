"""The eye chart as a picture: discs and their reconstructions, smaller and fainter until they vanish."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.chart import CONTRASTS, RADII, REPEATS, SHIFTS, SPEEDS
from trajvq.io.arrays import Bytes
from trajvq.metrics.submissions.chart import EyeChart

CROP = 20  # pixels around a disc
SPEED = 1  # index of the plotted speed
VISIBLE, UNRELIABLE, LOST = "#1a7f37", "#9a6700", "#cf222e"


def plot_eye_chart(chart: EyeChart, clips: Clips, reconstructions: Bytes, path: Path, title: str) -> None:
    """Write the chart as PNG.

    Args:
        chart: The results.
        clips: Those of the chart.
        reconstructions: uint8 ``(N, T, 3, H, W)``, of the first N clips, at least of those of the grid.
        path: PNG to write. Missing folders are created.
        title: Name of the tokenizer.
    """
    figure = Figure(figsize=(12.5, 7.4))
    axes = figure.subplots(len(RADII), len(CONTRASTS) + 1, width_ratios=[*([1] * len(CONTRASTS)), 1.3])
    batch = clips.batch(list(range(len(reconstructions))))
    targets, pixel = batch["video"].numpy(), batch["pixel"][:, :, 0].numpy()
    frame = targets.shape[1] // 2
    for row, radius in enumerate(RADII):
        for column, contrast in enumerate(CONTRASTS):
            axis = axes[row, column]
            number = ((row * len(CONTRASTS) + column) * len(SPEEDS) + SPEED) * REPEATS
            pair = [_crop(video[number, frame], pixel[number, frame]) for video in (targets, reconstructions)]
            bar = np.full((CROP, 1, 3), 150, dtype=np.uint8)
            axis.imshow(np.concatenate([pair[0], bar, pair[1]], axis=1), interpolation="nearest")
            rate = float(chart.visible[row, column].mean())
            color = VISIBLE if rate >= 0.95 else UNRELIABLE if rate >= 0.5 else LOST
            axis.set_xlabel(f"{rate:.0%}", color=color, fontsize=11, fontweight="bold", labelpad=2)
            axis.set_xticks([])
            axis.set_yticks([])
            for spine in axis.spines.values():
                spine.set(color=color, linewidth=1.6)
            if row == 0:
                axis.set_title(f"contrast {contrast:g}", fontsize=10)
            if column == 0:
                axis.set_ylabel(f"{radius:g} px", fontsize=6 + 3 * radius, rotation=0, labelpad=26, va="center")
        axes[row, -1].axis("off")
    grid = axes[0, -1].get_gridspec()
    side = figure.add_subplot(grid[1:4, -1])
    side.plot(SHIFTS, chart.noticed, "o-", color="#0969da")
    side.axhline(0.75, color="#8c959f", linewidth=0.8, linestyle="--")
    side.set(xscale="log", ylim=(0.4, 1.03), xlabel="shift, px", title="shift detected")
    side.set_xticks(SHIFTS, [f"{shift:.2g}" for shift in SHIFTS], fontsize=7)
    side.minorticks_off()
    names = {"radius": "smallest radius, px", "contrast": "lowest contrast at 2 px", "shift": "smallest shift, px"}
    lines = [f"{names[n]}\n{t['value']:.2g}  ({t['low']:.2g} to {t['high']:.2g})" for n, t in chart.thresholds.items()]
    text = figure.add_subplot(grid[4:, -1])
    text.axis("off")
    text.text(0.0, 0.9, "\n\n".join(lines), fontsize=9, va="top")
    figure.suptitle(
        f"{title}: disc (left), reconstruction (right), and the share of frames that show it (below)", fontsize=11
    )
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _crop(frame: Bytes, pixel: NDArray[np.float32]) -> Bytes:
    """Return the square ``(CROP, CROP, 3)`` around a position in a frame ``(3, H, W)``."""
    height, width = frame.shape[-2:]
    left, top = (
        int(np.clip(round(float(p)) - CROP // 2, 0, s - CROP)) for p, s in zip(pixel, (width, height), strict=True)
    )
    return frame[:, top : top + CROP, left : left + CROP].transpose(1, 2, 0)
