"""Pictures of forecasts: error by predicted frame, fans of samples over the truth, and clips beside the truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from trajvq.io.arrays import Bytes, Floats

MODEL, TRUE_FAMILY, BEST_FAMILY, SIMPLE = "#0969da", "#1a7f37", "#9a6700", "#8c959f"
CONTEXT, ANSWER = "#24292f", "#cf222e"  # paths of a fan
LINES: dict[str, tuple[str, str]] = {
    "frame_shift": (SIMPLE, "-."),
    "constant_velocity": (SIMPLE, "-"),
    "quadratic": (SIMPLE, ":"),
    "nearest_clip": (SIMPLE, "--"),
    "best_family_tracked": (BEST_FAMILY, "-"),
    "best_family_reconstructed": (BEST_FAMILY, "--"),
    "true_family_tracked": (TRUE_FAMILY, "-"),
    "true_family_reconstructed": (TRUE_FAMILY, "--"),
    "tokenizer": ("#000000", ":"),
    "samples_middle": (MODEL, "--"),
    "model": (MODEL, "-"),
}
CONTEXT_BORDER, PREDICTED_BORDER = (140, 149, 159), (9, 105, 218)  # colors in a GIF
GAP, BORDER, SCALE = 6, 2, 2
FANS = 4  # objects of each class
PAIRS = 3  # of clips side by side in a GIF


def plot_horizons(rows: Mapping[str, Mapping[str, Any]], path: Path, title: str) -> None:
    """Plot the mean error of every predicted frame with an object, over all clips and by class, and write it as PNG.

    Args:
        rows: Rows of a scoreboard.
        path: PNG to write. Missing folders are created.
        title: Such as the split.
    """
    classes = list(rows["model"].get("per_class", {}))
    columns = min(2 * (1 + len(classes)), 5)  # of the legend
    lines = -(-sum("horizon" in rows.get(row, {}) for row in LINES) // columns)
    figure = Figure(figsize=(3.6 * (1 + len(classes)), 3.4 + 0.17 * lines), dpi=110, layout="constrained")
    all_axes = figure.subplots(1, 1 + len(classes), squeeze=False)[0]
    for axes, name in zip(all_axes, ["all", *classes], strict=True):
        for row, (color, style) in LINES.items():
            board = rows.get(row, {})
            figures = board if name == "all" else board.get("per_class", {}).get(name, {})
            if "horizon" in figures:
                curve = np.maximum(np.array(figures["horizon"], dtype=float), 1e-3)  # NaN, where there is no object
                width = 2.2 if row == "model" else 1.3
                axes.plot(range(1, len(curve) + 1), curve, style, color=color, linewidth=width, label=row)
        axes.set(yscale="log", title=name, xlabel="frames after the context", ylim=(0.01, 40))
        axes.grid(alpha=0.25)
    all_axes[0].set_ylabel("mean error, px")
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8)
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def plot_fans(
    tracks: Mapping[str, NDArray[Any]],
    context: int,
    classes: Sequence[str],
    path: Path,
    size: tuple[int, int] = (64, 64),
) -> None:
    """Plot paths of the first objects of every class, the context, the truth, the prediction and samples, as PNG.

    Args:
        tracks: Of N objects: ``truth`` ``(N, F, 2)``, ``model`` ``(N, M, 2)`` and perhaps ``samples``
            ``(N, K, M, 2)``, px; ``clip`` ``(N,)``, the numbers of their clips, ``object`` ``(N,)``, their numbers
            within a clip, and perhaps ``label`` ``(N,)``.
        context: Number of context frames.
        classes: Names of the classes.
        path: PNG to write. Missing folders are created.
        size: Height and width of a frame in px.
    """
    label = tracks.get("label", np.zeros(len(tracks["truth"]), dtype=np.int64))
    height, width = size
    names = list(classes) or ["all"]
    figure = Figure(figsize=(2.6 * FANS, 2.75 * len(names)), dpi=100, layout="constrained")
    grid = figure.subplots(len(names), FANS, squeeze=False)
    for number, name in enumerate(names):
        rows = np.flatnonzero(label == number)[:FANS]
        for axes in grid[number]:
            axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[], aspect="equal")
        for axes, row in zip(grid[number], rows, strict=False):
            _plot_fan(axes, tracks, row, context)
            clip, several = tracks["clip"][row], len(set(tracks["object"].tolist())) > 1
            title = f"{name}, clip {clip}" + (f", object {tracks['object'][row]}" if several else "")
            axes.set_title(title, fontsize=8)
    handles, labels = grid[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _plot_fan(axes: Any, tracks: Mapping[str, NDArray[Any]], row: int, context: int) -> None:
    truth: Floats = tracks["truth"][row]
    for k, sample in enumerate(tracks["samples"][row] if "samples" in tracks else []):
        joined = np.concatenate([truth[context - 1 : context], sample])
        axes.plot(*joined.T, color=MODEL, alpha=0.22, linewidth=1, label=None if k else "samples")
    axes.plot(*truth[:context].T, "o-", color=CONTEXT, markersize=2.5, linewidth=1, label="context")
    axes.plot(*truth[context - 1 :].T, "o-", color=TRUE_FAMILY, markersize=2.5, linewidth=1.2, label="true")
    axes.plot(*tracks["model"][row].T, "x", color=ANSWER, markersize=4, label="model")


def save_gif(truth: Sequence[Bytes], predicted: Sequence[Bytes], context: int, path: Path) -> None:
    """Write predicted clips, each to the right of its true clip, as an animated GIF.

    Context frames have a grey border, predicted ones a blue border. Beyond its last frame the true clip is white.

    Args:
        truth: uint8 ``(T, 3, H, W)`` each.
        predicted: uint8 ``(F, 3, H, W)`` each, with the same F.
        context: Number of context frames.
        path: GIF to write. Missing folders are created.
    """
    frames = []
    for frame in range(len(predicted[0])):
        color = CONTEXT_BORDER if frame < context else PREDICTED_BORDER
        cells = []
        for true, clip in zip(truth, predicted, strict=True):
            blank = np.full_like(clip[0], 255)
            pair = [true[frame] if frame < len(true) else blank, clip[frame]]
            cells.append(np.concatenate([_with_border(picture, color) for picture in pair], axis=1))
        cells += [np.full_like(cells[0], 255)] * (-len(cells) % PAIRS)
        cells = [np.pad(cell, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for cell in cells]
        lines = [np.concatenate(cells[k : k + PAIRS], axis=1) for k in range(0, len(cells), PAIRS)]
        picture = np.concatenate(lines, axis=0).repeat(SCALE, axis=0).repeat(SCALE, axis=1)
        frames.append(Image.fromarray(picture))
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=160, loop=0)


def _with_border(picture: Bytes, color: tuple[int, int, int]) -> Bytes:
    """Return a picture ``(3, H, W)`` with a colored border, as ``(height, width, 3)``."""
    height, width = picture.shape[1:]
    framed = np.empty((height + 2 * BORDER, width + 2 * BORDER, 3), dtype=np.uint8)
    framed[:] = color
    framed[BORDER:-BORDER, BORDER:-BORDER] = picture.transpose(1, 2, 0)
    return framed
