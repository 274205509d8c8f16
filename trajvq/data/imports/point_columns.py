"""Which columns belong to one point, in tables with several points a row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from trajvq.data.imports.cells import numbers
from trajvq.data.imports.columns import SCORES
from trajvq.data.imports.tables import Table


@dataclass(frozen=True)
class PointColumns:
    """The columns of one point of a row.

    Attributes:
        name: Of the point.
        axes: Numbers of columns by axis.
        score: Number of the column that says how sure its position is, or None.
        animal: The animal that it is a part of, where a row has several.
    """

    name: str
    axes: dict[str, int] = field(default_factory=dict)
    score: int | None = None
    animal: str = ""


def paired_columns(names: Sequence[str]) -> list[PointColumns]:
    """Return the points whose coordinates are columns such as ``head.x`` and ``head.y``; also ``head_x``, ``x1``."""
    series: dict[str, PointColumns] = {}
    for number, name in enumerate(names):
        match = re.fullmatch(rf"(.+)[._ ](x|y|z|{'|'.join(SCORES)})", name, re.IGNORECASE)
        numbered = re.fullmatch(r"(x|y|z)[._ ]?(\d+)", name, re.IGNORECASE)  # as idtracker.ai writes it
        if numbered is not None:  # an animal each
            one = series.setdefault(numbered[2], PointColumns(numbered[2], animal=numbered[2]))
            one.axes[numbered[1].lower()] = number
        if match is None:
            continue
        one = series.setdefault(match[1], PointColumns(match[1]))
        if match[2].lower() in SCORES:
            series[match[1]] = replace(one, score=number)
        else:
            one.axes[match[2].lower()] = number
    return [one for one in series.values() if {"x", "y"} <= one.axes.keys()]


def are_corners(table: Table, series: Sequence[PointColumns]) -> bool:
    """Return whether the second point of a row is always to the right of the first and below it."""
    first, second = (np.stack([numbers(table.columns[one.axes[axis]])[0] for axis in ("x", "y")]) for one in series)
    return bool((second > first)[np.isfinite(first + second)].all())
