"""The confusion matrix as a picture."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray


def plot_confusion(counts: NDArray[np.int64], classes: list[str], title: str) -> NDArray[np.uint8]:
    """Draw true classes (rows) against answers (columns), each row as shares, with the counts written in.

    Args:
        counts: ``(classes, classes + 1)``; the last column, none of the classes, is drawn if it holds any.
        classes: Names of the classes.
        title: Such as the split.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    names = [*classes, "none"] if counts[:, -1].any() else classes
    shown = counts[:, : len(names)]
    share = shown / np.maximum(shown.sum(axis=1, keepdims=True), 1)
    size = 1.6 + 0.6 * len(classes)
    figure = Figure(figsize=(size + 0.8, size), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("answer")
    axes.set_ylabel("class")
    right = int(np.trace(counts))
    axes.set_title(f"{title}: {right} of {int(counts.sum())} right")
    for row, line in enumerate(shown):
        for column, count in enumerate(line):
            if count:
                dark = share[row, column] > 0.5
                axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
