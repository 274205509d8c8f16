"""The cells of a table: text, numbers and times. Text is never guessed to be a number unless a number is needed."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajvq.io.arrays import Floats

Column = Any  # pyarrow.Array or pyarrow.ChunkedArray of any type
Mask = NDArray[np.bool_]

EMPTY = ("", "na", "n/a", "#n/a", "nan", "null", "none", "-", ".")  # what programs write for a number that is missing
UNLABELED = ("", "na", "n/a", "#n/a", "nan", "null")  # for a missing label, which `none` may well be
BREAKS = r"[\n\v\f\r\x1c-\x1e\x{85}\x{2028}\x{2029}]+"  # where `str.splitlines` does, too
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^(?i:[+-]?inf(inity)?)$"
WHOLE = r"^[+-]?(\d{1,18}|[1-8]\d{18})$"  # that fits into 64 bits
COMMA = r"^[+-]?\d*,\d+([eE][+-]?\d+)?$"
THOUSANDS = r"^[+-]?\d{1,3},\d{3}$"  # or a decimal comma
DATE = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?$"
DAY = r"^(\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{4})$"  # in any order
TIME_OF_DAY = r"^\d\d?:\d\d:\d\d([.,]\d{1,9})?$"
CLOCK = r"^(\d+ days?,? )?\d+:\d\d:\d\d([.,]\d{1,9})?$"  # as players show, or pandas writes, a time since the start
ZONE = r"[T ].*(Z|[+-]\d\d:?\d\d)$"


def without_encoding(column: Column) -> Column:
    """Return a column of categories as their values, and text of any type as plain strings; any other as it is.

    pandas and polars write text as large strings, and categories as a dictionary.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        kind = pa.string()
    return column if kind == column.type else pc.cast(column, kind)


def text(column: Column) -> Any:
    """Return the cells as a ``pyarrow.Array`` of strings of one line, without spaces around; empty ones are ``""``.

    Raises:
        pyarrow.ArrowException: If cells are lists or other things that have no text.
    """
    strings = pc.fill_null(pc.cast(column, pa.string()), "")
    trimmed = pc.utf8_trim_whitespace(pc.replace_substring_regex(strings, BREAKS, " "))
    return trimmed.combine_chunks() if isinstance(trimmed, pa.ChunkedArray) else trimmed


def cell(column: Column, index: int) -> str:
    """Return one cell as `text`."""
    return str(text(column[index : index + 1])[0].as_py())


def matches(strings: Any, pattern: str) -> Mask:
    """Return which strings match a regular expression."""
    return np.asarray(pc.match_substring_regex(strings, pattern).to_numpy(zero_copy_only=False), dtype=bool)


def all_match(column: Column, pattern: str) -> bool:
    """Return whether all cells that are not empty, and at least one, are text, days or times that match a pattern."""
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_date(kind) or pa.types.is_time(kind)):
        return False
    strings = text(column)
    matching = matches(strings, pattern)
    return bool(matching.any() and (matching | is_empty(strings)).all())


def is_empty(strings: Any) -> Mask:
    """Return which strings stand for a missing number."""
    return np.asarray(pc.is_in(pc.utf8_lower(strings), pa.array(EMPTY)).to_numpy(zero_copy_only=False), dtype=bool)


def decimal_commas(columns: Sequence[Column], separator: str) -> bool:
    """Return whether columns of numbers have decimal commas: some cells have one, and no number has a point.

    Where commas separate the cells, 1,234 may as well be a number with thousands.
    """
    commas = False
    for column in columns:
        if pa.types.is_string(column.type):
            strings = text(column)
            if (matches(strings, NUMBER) & matches(strings, r"\.")).any():
                return False
            doubtful = matches(strings, THOUSANDS) if separator == "," else False
            commas |= bool((matches(strings, COMMA) & ~np.asarray(doubtful)).any())
    return commas


def numbers(column: Column, commas: bool = False) -> tuple[Floats, Mask]:
    """Return the numbers of a column.

    Args:
        column: N cells.
        commas: Whether numbers have decimal commas.

    Returns:
        ``(N,)`` float64, NaN where there is no number; and which cells are neither numbers nor empty.

    Raises:
        pyarrow.ArrowException: If cells are lists or other things that are no numbers.
    """
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        plain = pc.cast(column, pa.float64(), safe=False)
        return np.asarray(plain.to_numpy(zero_copy_only=False), dtype=np.float64), np.zeros(len(column), dtype=bool)
    strings = pc.replace_substring(text(column), "\u2212", "-")
    if commas:
        strings = pc.replace_substring(strings, ",", ".")
    good = matches(strings, NUMBER)
    values = pc.cast(pc.if_else(pa.array(good), strings, None), pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64), ~(good | is_empty(strings))


def times(column: Column, commas: bool = False) -> tuple[Floats, Mask]:
    """Return the times of a column, relative to the earliest: exactly, however large they are.

    Args:
        column: N cells: numbers, dates as in ISO 8601, or times such as ``00:01:02.5``.
        commas: Whether numbers have decimal commas.

    Returns:
        ``(N,)`` float64 in the column's own unit, or seconds between dates or times; NaN where there is none; and which
        cells are neither a time nor empty, such as dates that do not exist.

    Raises:
        pyarrow.ArrowException: If cells are lists or other things that are no times.
    """
    if pa.types.is_temporal(column.type):
        moment = pa.time64("ns") if pa.types.is_time(column.type) else pa.timestamp("ns")
        kind = pa.duration("ns") if pa.types.is_duration(column.type) else moment
        return _since_first(pc.cast(pc.cast(column, kind), pa.int64()), 1e-9)
    if pa.types.is_integer(column.type) and not pa.types.is_uint64(column.type):
        return _since_first(column, 1.0)
    if pa.types.is_string(column.type):
        strings = text(column)
        empty = is_empty(strings)
        if (matches(strings, WHOLE) | empty).all():
            return _since_first(pc.cast(pc.if_else(pa.array(empty), None, strings), pa.int64()), 1.0)
        if (matches(strings, CLOCK) | empty).all():
            nanoseconds = [_nanoseconds(cell) for cell in strings.to_pylist()]
            return _since_first(pa.array(nanoseconds, pa.int64()), 1e-9)
        dates = matches(strings, DATE)
        if dates.any() and not matches(strings, NUMBER).any():
            zones = bool(matches(strings, ZONE).any())
            kind = pa.timestamp("ns", tz="UTC" if zones else None)
            stamps = _stamps(pc.replace_substring(pc.if_else(pa.array(dates), strings, None), ",", "."), kind)
            exists = np.asarray(stamps.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
            return _since_first(pc.cast(stamps, pa.int64()), 1e-9)[0], ~(exists | empty)
    values, bad = numbers(column, commas)
    finite = values[np.isfinite(values)]
    return values - (finite.min() if len(finite) else 0.0), bad


def _stamps(dates: Any, kind: Any) -> Any:
    """Return the times of dates, an array of strings; null where a date does not exist, or lacks a zone."""
    try:
        return pc.cast(dates, kind)
    except pa.ArrowInvalid:  # which dates, only smaller parts tell
        if len(dates) == 1:
            return pa.nulls(1, kind)
        half = len(dates) // 2
        return pa.concat_arrays([_stamps(dates[:half], kind), _stamps(dates[half:], kind)])


def _nanoseconds(clock: str) -> int | None:
    """Return the time since the start of a cell that matches `CLOCK`; None if it is empty."""
    match = re.fullmatch(r"(?:(\d+) days?,? )?(\d+):(\d\d):(\d\d)(?:[.,](\d+))?", clock)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups()[:4])
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 10**9 + int((match[5] or "0").ljust(9, "0"))


def _since_first(integers: Column, unit: float) -> tuple[Floats, Mask]:
    """Return whole numbers minus the smallest, times a unit; NaN where they are missing."""
    integers = pc.cast(integers, pa.int64())
    first = pc.min(integers).as_py() or 0
    relative = pc.cast(pc.subtract(integers, pa.scalar(first, pa.int64())), pa.float64(), safe=False)
    return np.asarray(relative.to_numpy(zero_copy_only=False), dtype=float) * unit, np.zeros(len(integers), dtype=bool)
