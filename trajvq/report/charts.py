"""Charts of the report as SVG: matplotlib's, small, and colored by the page, so that they follow dark mode."""

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trajvq.metrics.intervals import Interval

# matplotlib wants colors; the page's own take their place in the SVG.
INK, FAINT = "#010203", "#040506"
SERIES = [f"#0a0b{k:02x}" for k in range(8)]
VARIABLES = {INK: "var(--ink)", FAINT: "var(--line)"} | {c: f"var(--series{k})" for k, c in enumerate(SERIES)}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "trajvq",  # the same chart, the same file
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
}
Lines = Mapping[str, tuple[Sequence[float], Sequence[float]]]


def lines(found: Lines, title: str, along: str, log: bool = False, rise: bool | None = None) -> str:
    """Draw values over steps or frames, a line each.

    Args:
        found: x and y by name.
        title: Above the chart, and its text alternative together with the last values.
        along: Label of the x axis.
        log: Logarithmic y axis.
        rise: Mark the best point of each line: the highest or the lowest; None marks none.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes(title, along)
        for (name, (x, y)), color in zip(found.items(), SERIES * 9, strict=False):
            axes.plot(x, y, color=color, label=name, marker="o" if len(x) < 12 else None, markersize=3)
            if rise is not None and len(y):
                best = int(np.argmax(y) if rise else np.argmin(y))
                axes.plot(x[best], y[best], "o", color=color, markersize=6, fillstyle="none")
        if log:
            axes.set_yscale("log")
        if len(found) > 1:
            axes.legend()
        ends = ", ".join(f"{name} ends at {y[-1]:.4g}" for name, (_, y) in found.items() if len(y))
        return _svg(figure, f"{title}: {ends}")


def points(names: Sequence[str], figures: Sequence[Interval], title: str) -> str:
    """Draw figures with their 95 % intervals, one under the other.

    Args:
        names: Of the groups.
        figures: One a group.
        title: Above the chart.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes(title, "", height=0.8 + 0.28 * len(names), left=1.0)
        place = np.arange(len(names))[::-1]
        value = np.array([f["value"] for f in figures])
        spread = np.array([[f["value"] - f["low"] for f in figures], [f["high"] - f["value"] for f in figures]])
        axes.errorbar(value, place, xerr=np.maximum(spread, 0), fmt="o", color=SERIES[0], capsize=3, markersize=5)
        axes.set_yticks(place, names)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlim(left=min(0.0, float(np.nanmin(value))))
        axes.grid(axis="y", visible=False)
        return _svg(figure, f"{title}: " + ", ".join(f"{n} {v:.4g}" for n, v in zip(names, value, strict=True)))


def many_lines(found: Lines, title: str, along: str, marked: Sequence[str]) -> str:
    """Draw many lines on a logarithmic axis, with their names beside them.

    Args:
        found: x and y by name.
        title: Above the chart.
        along: Label of the x axis.
        marked: Names of lines that are drawn thick.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes(title, along, height=max(2.6, 0.9 + 0.19 * len(found)), wide=7.5, right=2.2)
        for number, (name, (x, y)) in enumerate(found.items()):
            style, width = ("-", 3.0) if name in marked else (("-", "--", ":")[number // len(SERIES) % 3], 1.2)
            axes.plot(x, y, style, color=SERIES[number % len(SERIES)], label=name, linewidth=width)
        axes.set_yscale("log")
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02))
        ends = ", ".join(f"{name} ends at {y[-1]:.4g}" for name, (_, y) in found.items() if len(y))
        return _svg(figure, f"{title}: {ends}")


def place_map(grid: NDArray[np.float64], size: tuple[int, int], title: str) -> str:
    """Draw means over the frame, rows from the top; cells without clips (NaN) stay empty.

    Args:
        grid: ``(rows, columns)``.
        size: Height and width of the frame, px.
        title: Above the chart.
    """
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure, axes = _axes(title, "x, px", height=2.6)
        shown = axes.imshow(
            grid, cmap="viridis", extent=(0, size[1], size[0], 0), interpolation="nearest", aspect="equal"
        )
        figure.colorbar(shown, ax=axes, shrink=0.9).outline.set_visible(False)
        axes.set_ylabel("y, px")
        known = grid[np.isfinite(grid)]
        text = f"{title}: from {known.min():.4g} to {known.max():.4g}" if known.size else title
        return _svg(figure, text)


def usage(counts: Mapping[str, NDArray[np.int64]], title: str) -> str:
    """Draw how often codes are used, the most frequent first, both axes logarithmic."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes(title, "code, the most frequent first")
        text = []
        for (name, found), color in zip(counts.items(), SERIES, strict=False):
            used = np.sort(found[found > 0])[::-1]
            if len(used):
                axes.plot(np.arange(1, len(used) + 1), used, color=color, label=f"{name} tokens")
            text.append(f"{name}: {len(used)} of {len(found)} codes used")
        axes.set(xscale="log", yscale="log", ylabel="tokens")
        axes.legend()
        return _svg(figure, f"{title}; {', '.join(text)}")


def _axes(
    title: str, along: str, height: float = 2.2, left: float = 0.65, wide: float = 4.0, right: float = 0.16
) -> tuple[Figure, Axes]:
    """Make one chart with fixed margins in inches: to fit them to the labels takes as long as all the rest."""
    figure = Figure(figsize=(wide, height))
    below = 0.48 if along else 0.28
    figure.subplots_adjust(left=left / wide, right=1 - right / wide, bottom=below / height, top=1 - 0.3 / height)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", x=-left / (wide - left - right), fontweight="bold")
    axes.set_xlabel(along)
    return figure, axes


def _svg(figure: Figure, text: str) -> str:
    """Return an ``<svg>`` element that fills its column, has a text alternative and takes the page's colors."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    made = file.getvalue()
    made = made[made.index("<svg") :]
    made = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", made, flags=re.DOTALL)
    made = re.sub(r'<svg[^>]*?viewBox="([^"]*)"[^>]*>', _head(text), made, count=1, flags=re.DOTALL)
    for color, variable in VARIABLES.items():
        made = made.replace(color, variable)
    made = re.sub(r' id="(?:figure|axes|patch|text|line2d|matplotlib\.axis|xtick|ytick|legend|Line)[^"]*"', "", made)
    return re.sub(r"\n\s*", "\n", made)


def _head(text: str) -> Any:
    title = escape(text)
    box = "http://www.w3.org/2000/svg"
    link = "http://www.w3.org/1999/xlink"
    return lambda found: (
        f'<svg xmlns="{box}" xmlns:xlink="{link}" viewBox="{found[1]}" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
    )
