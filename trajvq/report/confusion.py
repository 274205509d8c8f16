"""The confusion matrix as a picture."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trajvq.io.arrays import Bytes


def plot_confusion(counts: NDArray[np.int64], classes: list[str], title: str) -> Bytes:
    """Plot true classes (rows) against answers (columns): the share of each row as color, the count as text.

    Args:
        counts: ``(classes, classes + 1)``; the last column, answers of no class, is left out if it is empty.
        classes: Names of the classes.
        title: Such as the split.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    names = [*classes, "none"] if counts[:, -1].any() else classes
    columns = counts[:, : len(names)]
    share = columns / np.maximum(columns.sum(axis=1, keepdims=True), 1)
    size = 1.6 + 0.6 * len(classes)
    figure = Figure(figsize=(size + 0.8, size), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("answer")
    axes.set_ylabel("class")
    correct = int(np.trace(counts))
    axes.set_title(f"{title}: {correct} of {int(counts.sum())} correct")
    for row, line in enumerate(columns):
        for column, count in enumerate(line):
            if count:
                dark = share[row, column] > 0.5
                axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
