"""Forecasts as pictures: error by horizon, fans of samples over the truth, and clips that go on beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from trajvq.io.arrays import Floats

MODEL, ORACLE, ROW, SIMPLE = "#0969da", "#1a7f37", "#9a6700", "#8c959f"
LINES: dict[str, tuple[str, str]] = {
    "constant_velocity": (SIMPLE, "-"),
    "quadratic": (SIMPLE, ":"),
    "nearest_clip": (SIMPLE, "--"),
    "best_family_tracked": (ROW, "-"),
    "best_family_reconstructed": (ROW, "--"),
    "true_family_tracked": (ORACLE, "-"),
    "true_family_reconstructed": (ORACLE, "--"),
    "tokenizer": ("#000000", ":"),
    "samples_middle": (MODEL, "--"),
    "model": (MODEL, "-"),
}
GIVEN, PREDICTED = (140, 149, 159), (9, 105, 218)  # frames of clips in a GIF
GAP, BORDER, SCALE = 6, 2, 2


def plot_horizons(rows: Mapping[str, Mapping[str, Any]], path: Path, title: str) -> None:
    """Write the mean error of every frame predicted, over all clips and by class, as PNG.

    Args:
        rows: Of a scoreboard.
        path: Where it goes.
        title: Such as the split.
    """
    classes = list(rows["model"].get("per_class", {}))
    figure = Figure(figsize=(3.6 * (1 + len(classes)), 3.9), dpi=110, layout="constrained")
    all_axes = figure.subplots(1, 1 + len(classes), squeeze=False)[0]
    for axes, name in zip(all_axes, ["all", *classes], strict=True):
        for row, (color, style) in LINES.items():
            board = rows.get(row, {})
            shown = board if name == "all" else board.get("per_class", {}).get(name, {})
            if "horizon" in shown:
                curve = np.maximum(shown["horizon"], 1e-3)
                wide = 2.2 if row == "model" else 1.3
                axes.plot(range(1, len(curve) + 1), curve, style, color=color, linewidth=wide, label=row)
        axes.set(yscale="log", title=name, xlabel="frames ahead", ylim=(0.01, 40))
        axes.grid(alpha=0.25)
    all_axes[0].set_ylabel("mean error, px")
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8)
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path)


def plot_fans(
    places: Mapping[str, NDArray[Any]], given: int, classes: Sequence[str], path: Path, each: int = 4, size: int = 64
) -> None:
    """Write the first clips of every class as paths: given, true, predicted, and all samples, as PNG.

    Args:
        places: ``truth`` ``(N, F, 2)``, ``model`` ``(N, M, 2)`` and, where there are any, ``samples``
            ``(N, K, M, 2)`` and ``label`` ``(N,)``; px.
        given: Frames given.
        classes: Names of the classes.
        path: Where it goes.
        each: Clips of each class.
        size: Of the picture in px.
    """
    label = places.get("label", np.zeros(len(places["truth"]), dtype=np.int64))
    names = list(classes) or ["all"]
    figure = Figure(figsize=(2.6 * each, 2.75 * len(names)), dpi=100, layout="constrained")
    grid = figure.subplots(len(names), each, squeeze=False)
    for number, name in enumerate(names):
        rows = np.flatnonzero(label == number)[:each]
        for axes in grid[number]:
            axes.set(xlim=(0, size), ylim=(size, 0), xticks=[], yticks=[], aspect="equal")
        for axes, row in zip(grid[number], rows, strict=False):
            _fan(axes, places, row, given)
            axes.set_title(f"{name}, clip {row}", fontsize=8)
    handles, labels = grid[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path)


def _fan(axes: Any, places: Mapping[str, NDArray[Any]], row: int, given: int) -> None:
    truth: Floats = places["truth"][row]
    for k, sample in enumerate(places["samples"][row] if "samples" in places else []):
        joined = np.concatenate([truth[given - 1 : given], sample])
        axes.plot(*joined.T, color=MODEL, alpha=0.22, linewidth=1, label=None if k else "samples")
    axes.plot(*truth[:given].T, "o-", color="#24292f", markersize=2.5, linewidth=1, label="given")
    axes.plot(*truth[given - 1 :].T, "o-", color=ORACLE, markersize=2.5, linewidth=1.2, label="true")
    axes.plot(*places["model"][row].T, "x", color="#cf222e", markersize=4, label="model")


def save_gif(
    truth: Sequence[NDArray[np.uint8]], made: Sequence[NDArray[np.uint8]], given: int, path: Path, columns: int = 3
) -> None:
    """Write clips beside their true ones as an animated GIF: left what came, right what was foreseen.

    A grey frame is around what was given, a blue one around what was predicted; beyond the truth's end it is white.

    Args:
        truth: uint8 ``(T, 3, H, W)`` each.
        made: uint8 ``(F, 3, H, W)`` each, alike in F.
        given: Frames given.
        path: Where it goes.
        columns: Pairs side by side.
    """
    frames = []
    for moment in range(len(made[0])):
        color = GIVEN if moment < given else PREDICTED
        cells = []
        for true, clip in zip(truth, made, strict=True):
            blank = np.full_like(clip[0], 255)
            pair = [true[moment] if moment < len(true) else blank, clip[moment]]
            cells.append(np.concatenate([_framed(picture, color) for picture in pair], axis=1))
        cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
        cells = [np.pad(cell, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for cell in cells]
        lines = [np.concatenate(cells[k : k + columns], axis=1) for k in range(0, len(cells), columns)]
        picture = np.concatenate(lines, axis=0).repeat(SCALE, axis=0).repeat(SCALE, axis=1)
        frames.append(Image.fromarray(picture))
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=160, loop=0)


def _framed(picture: NDArray[np.uint8], color: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return uint8 ``(H, W, 3)`` with a colored border of a picture ``(3, H, W)``."""
    height, width = picture.shape[1:]
    made = np.empty((height + 2 * BORDER, width + 2 * BORDER, 3), dtype=np.uint8)
    made[:] = color
    made[BORDER:-BORDER, BORDER:-BORDER] = picture.transpose(1, 2, 0)
    return made
