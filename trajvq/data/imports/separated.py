"""Parse the rows of a table that is text. Every cell stays text, so that ids and labels keep their letters."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from trajvq.data.imports.cells import Column
from trajvq.data.imports.dialect import COMMENTS, Dialect

BLOCK = 2**24  # bytes that are parsed at a time; no row is longer


def read_separated(
    content: str, dialect: Dialect
) -> tuple[tuple[Column, ...], NDArray[np.int64], list[tuple[int, str]], int]:
    """Parse the rows of a table.

    Args:
        content: The whole text.
        dialect: How it is written.

    Returns:
        The columns of text, ``(N,)`` numbers of the rows from 1, the rows with too many or few cells with the reason,
        and the number of comments between the rows.

    Raises:
        pyarrow.ArrowException: If it cannot be parsed.
    """
    body = content[dialect.start :]
    if dialect.separator == " ":
        body = re.sub(r"(?m)^ +| +$", "", re.sub(r"[ \t]+", " ", body))
    names = [str(number) for number in range(len(dialect.names))]
    if not body.strip():
        return tuple(pa.array([], pa.string()) for _ in names), np.empty(0, np.int64), [], 0
    uneven: list[tuple[int, str]] = []
    comments: list[int] = []

    def set_aside(row: Any) -> str:
        if row.text.lstrip().startswith(COMMENTS):
            comments.append(row.number)
        else:
            uneven.append((row.number, f"has {row.actual_columns} cells, not {row.expected_columns}"))
        return "skip"

    raw = body.encode()
    table = csv.read_csv(
        pa.py_buffer(raw),
        read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=BLOCK),
        parse_options=csv.ParseOptions(
            delimiter=dialect.separator, newlines_in_values='"' in body, invalid_row_handler=set_aside
        ),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
    )
    rows = np.arange(1, table.num_rows + len(uneven) + len(comments) + 1)
    return (
        tuple(table.columns),
        np.setdiff1d(rows, [*comments, *(number for number, _ in uneven)]),
        uneven,
        len(comments),
    )
