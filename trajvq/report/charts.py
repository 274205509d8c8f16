"""Charts of the report as small SVG files by matplotlib. The page sets their colors, so that they follow dark mode."""

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

from trajvq.io.arrays import Floats
from trajvq.metrics.figures import Better
from trajvq.metrics.intervals import Interval

# Placeholders that matplotlib accepts as colors; `_svg` replaces them by CSS variables of the page.
INK, FAINT = "#010203", "#040506"
SERIES = [f"#0a0b{k:02x}" for k in range(8)]
VARIABLES = {INK: "var(--ink)", FAINT: "var(--line)"} | {c: f"var(--series{k})" for k, c in enumerate(SERIES)}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "trajvq",  # makes files reproducible
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
Curves = Mapping[str, tuple[Sequence[float], Sequence[float]]]  # x and y by name


def plot_lines(curves: Curves, title: str, x_label: str, log: bool = False, better: Better | None = None) -> str:
    """Plot values over steps or frames, one line each.

    Args:
        curves: x and y by name.
        title: Heading of the chart; with the last values it is also the text alternative.
        x_label: Label of the x axis.
        log: Use a logarithmic y axis.
        better: Mark the best point of each line in this direction; None marks none.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes(title, x_label)
        for (name, (x, y)), color in zip(curves.items(), SERIES * 9, strict=False):
            axes.plot(x, y, color=color, label=name, marker="o" if len(x) < 12 else None, markersize=3)
            if better is not None and len(y):
                best = int(np.argmax(y) if better == "higher" else np.argmin(y))
                axes.plot(x[best], y[best], "o", color=color, markersize=6, fillstyle="none")
        if log:
            axes.set_yscale("log")
        if len(curves) > 1:
            axes.legend()
        return _svg(figure, f"{title}: {_last_values(curves)}")


def plot_intervals(names: Sequence[str], figures: Sequence[Interval], title: str) -> str:
    """Plot figures with their 95 % intervals, one below the other.

    Args:
        names: Names of the groups.
        figures: One for each group.
        title: Heading of the chart.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes(title, "", height=0.8 + 0.28 * len(names), left=1.0)
        position = np.arange(len(names))[::-1]
        value = np.array([f["value"] for f in figures])
        ends = np.array([[f["value"] - f["low"] for f in figures], [f["high"] - f["value"] for f in figures]])
        axes.errorbar(value, position, xerr=np.maximum(ends, 0), fmt="o", color=SERIES[0], capsize=3, markersize=5)
        axes.set_yticks(position, names)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlim(left=min(0.0, float(np.nanmin(value))))
        axes.grid(axis="y", visible=False)
        return _svg(figure, f"{title}: " + ", ".join(f"{n} {v:.4g}" for n, v in zip(names, value, strict=True)))


def plot_many_lines(curves: Curves, title: str, x_label: str, thick: Sequence[str]) -> str:
    """Plot many lines on a logarithmic axis, with a legend beside them.

    Args:
        curves: x and y by name.
        title: Heading of the chart.
        x_label: Label of the x axis.
        thick: Names of thick lines.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes(title, x_label, height=max(2.6, 0.9 + 0.19 * len(curves)), width=7.5, right=2.2)
        for number, (name, (x, y)) in enumerate(curves.items()):
            style, width = ("-", 3.0) if name in thick else (("-", "--", ":")[number // len(SERIES) % 3], 1.2)
            axes.plot(x, y, style, color=SERIES[number % len(SERIES)], label=name, linewidth=width)
        axes.set_yscale("log")
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02))
        return _svg(figure, f"{title}: {_last_values(curves)}")


def plot_position_map(means: Floats, size: tuple[int, int], title: str) -> str:
    """Plot means over the frame, rows from the top; cells without clips (NaN) stay empty.

    Args:
        means: ``(rows, columns)``.
        size: Height and width of the frame, px.
        title: Heading of the chart.
    """
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure, axes = _axes(title, "x, px", height=2.6)
        image = axes.imshow(
            means, cmap="viridis", extent=(0, size[1], size[0], 0), interpolation="nearest", aspect="equal"
        )
        figure.colorbar(image, ax=axes, shrink=0.9).outline.set_visible(False)
        axes.set_ylabel("y, px")
        finite = means[np.isfinite(means)]
        text = f"{title}: from {finite.min():.4g} to {finite.max():.4g}" if finite.size else title
        return _svg(figure, text)


def plot_code_usage(counts: Mapping[str, NDArray[np.int64]], title: str) -> str:
    """Plot the number of tokens of each code, the most frequent first, on logarithmic axes.

    Args:
        counts: ``(codes,)`` by kind of token.
        title: Heading of the chart.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes(title, "code, the most frequent first")
        texts = []
        for (name, count), color in zip(counts.items(), SERIES, strict=False):
            used = np.sort(count[count > 0])[::-1]
            if len(used):
                axes.plot(np.arange(1, len(used) + 1), used, color=color, label=f"{name} tokens")
            texts.append(f"{name}: {len(used)} of {len(count)} codes used")
        axes.set(xscale="log", yscale="log", ylabel="tokens")
        axes.legend()
        return _svg(figure, f"{title}; {', '.join(texts)}")


def _last_values(curves: Curves) -> str:
    return ", ".join(f"{name} ends at {y[-1]:.4g}" for name, (_, y) in curves.items() if len(y))


def _axes(
    title: str, x_label: str, height: float = 2.2, left: float = 0.65, width: float = 4.0, right: float = 0.16
) -> tuple[Figure, Axes]:
    """Return a chart with fixed margins in inches; fitting them to the labels would double the time."""
    figure = Figure(figsize=(width, height))
    below = 0.48 if x_label else 0.28
    figure.subplots_adjust(left=left / width, right=1 - right / width, bottom=below / height, top=1 - 0.3 / height)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", x=-left / (width - left - right), fontweight="bold")
    axes.set_xlabel(x_label)
    return figure, axes


def _svg(figure: Figure, text: str) -> str:
    """Return an ``<svg>`` element that fills its column, has a text alternative and uses the page's colors."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r'<svg[^>]*?viewBox="([^"]*)"[^>]*>', lambda match: _root(match[1], text), svg, count=1, flags=re.DOTALL
    )
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, variable)
    svg = re.sub(r' id="(?:figure|axes|patch|text|line2d|matplotlib\.axis|xtick|ytick|legend|Line)[^"]*"', "", svg)
    return re.sub(r"\n\s*", "\n", svg)


def _root(view_box: str, text: str) -> str:
    """Return the opening tag of a chart and its title."""
    title = escape(text)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{view_box}" role="img" aria-label="{title}"><title>{title}</title>'
    )
