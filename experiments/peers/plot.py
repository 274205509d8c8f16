"""The picture of the peers: each figure of each row on each set, one panel for a set and a figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

# px span two decades, and an object that is not there costs 32
PANELS = (("moving_psnr", "moving PSNR, dB"), ("visible", "visible"), ("centroid_error", "centroid error, px"))


def plot(cells: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot a dot for each cell; seeds of a row share a line."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    sets, names = (sorted({cell[key] for cell in cells}) for key in ("set", "name"))
    shape = (len(sets), len(PANELS))
    size = (4 * shape[1], (0.3 * len(names) + 0.9) * shape[0])
    figure, axes = plt.subplots(*shape, figsize=size, layout="constrained", sharey=True, squeeze=False)
    for line, set_name in zip(axes, sets, strict=True):
        for axis, (name, title) in zip(line, PANELS, strict=True):
            stored = [cell for cell in cells if cell["set"] == set_name and name in cell["rows"]["model"]]
            values = [cell["rows"]["model"][name] for cell in stored]
            axis.scatter(values, [names.index(cell["name"]) for cell in stored], alpha=0.7)
            axis.set_title(f"{set_name}: {title}", fontsize=9)
            axis.set_xscale("log" if name == "centroid_error" else "linear")
            axis.grid(alpha=0.3)
            axis.set_yticks(range(len(names)), names, fontsize=8)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    figure.savefig(path, dpi=110)
    plt.close(figure)
