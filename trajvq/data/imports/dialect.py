"""Detect how a table is written as text: its separator, its header, and what precedes it."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trajvq.data.imports.plurals import counted
from trajvq.errors import DataError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "spaces"}
SAMPLE = 2**16  # characters that tell the dialect
COMMENTS = ("#", "%", "//")
NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
        separator: Between cells.
        names: Of the columns; their numbers from 1 without a header.
        header: Whether there is one.
        start: Offset of the first row in the text.
        notes: What was detected and skipped, one line each.
    """

    separator: str
    names: tuple[str, ...]
    header: bool
    start: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    """A line of the text, from offset ``start`` to ``stop``."""

    text: str
    start: int
    stop: int

    @property
    def is_comment(self) -> bool:
        return self.text.lstrip().startswith(COMMENTS)

    def cells(self, separator: str) -> list[str]:
        """Return the cells without spaces around them."""
        if separator == " ":
            return self.text.split()
        row = next(csv.reader([self.text], delimiter=separator, skipinitialspace=True), [])
        return [cell.strip() for cell in row]


def dialect_of(content: str, path: Path) -> Dialect:
    """Detect the dialect of a table.

    Args:
        content: The whole text.
        path: The file, for messages.

    Raises:
        DataError: If there is no separator that makes columns.
    """
    if not content.strip():
        raise DataError(f"{path} is not a readable table: it is empty")
    lines = list(_lines(content[:SAMPLE], len(content) <= SAMPLE))
    requested = re.fullmatch(r"sep=([,;|\t])", lines[0].text) if lines else None  # as Excel reads and writes it
    lines = lines[1:] if requested else lines
    plain = [line for line in lines if not line.is_comment]
    separator, width = _separator(plain, [requested[1]] if requested else list(SEPARATORS))
    if width < 2:
        words = ", ".join(SEPARATORS.values())
        raise DataError(f"{path} is not a readable table: no columns are separated by {words}; save it as .csv")
    first = next(k for k, line in enumerate(lines) if not line.is_comment and len(line.cells(separator)) == width)
    notes = [] if separator == "," else [f"separated by {SEPARATORS[separator]}"]
    names, skipped = lines[first].cells(separator), first
    header, start = not _is_data(names), lines[first].stop
    if not header:
        before = lines[first - 1] if first else None
        names, remark = _header_before(before, plain, separator, width)
        header, start = bool(names), lines[first].start
        skipped -= header
        notes += [remark] if remark else []
    if skipped:
        notes.append(f"{counted(skipped, 'line')} before the table skipped")
    numbered = [str(number + 1) for number in range(width)]
    return Dialect(separator, tuple(names if header else numbered), header, start, tuple(notes))


def _lines(sample: str, complete: bool) -> Iterator[_Line]:
    """Yield the lines of a sample that are not blank; without the last one, if the sample ends within it."""
    for match in re.finditer(r"([^\r\n]*)(\r\n|\r|\n|$)", sample):
        if match[1].strip() and (match[2] or complete):
            yield _Line(match[1], match.start(), match.end())


def _is_data(cells: Sequence[str]) -> bool:
    """Return whether cells are those of a row rather than of a header: at least two are numbers."""
    return sum(bool(NUMBER.fullmatch(cell)) for cell in cells) >= 2


def _header_before(line: _Line | None, plain: Sequence[_Line], separator: str, width: int) -> tuple[list[str], str]:
    """Return the names in the line before the first row, and a remark; no names if it is no header.

    A header may be a comment, or lack the name of one column: the row names that R writes at the beginning, or an
    empty one at the end.
    """
    if line is None:
        return [], ""
    if line.is_comment:
        names = _Line(line.text.lstrip().lstrip("#%/"), 0, 0).cells(separator)
        return (names, "header in a comment") if len(names) == width and not _is_data(names) else ([], "")
    names = line.cells(separator)
    if len(names) != width - 1 or _is_data(names):
        return [], ""
    rows = [row for row in (other.cells(separator) for other in plain) if len(row) == width]
    if all(not row[-1] for row in rows):
        return [*names, ""], "the rows end with an empty cell"
    return ["", *names], "the rows begin with a cell that the header lacks"


def _separator(lines: Sequence[_Line], candidates: Sequence[str]) -> tuple[str, int]:
    """Return the separator that gives most lines the same number of cells, and that number."""
    best, best_score = (",", 0), (0.0, 0)
    for candidate in candidates:
        counts = Counter(len(line.cells(candidate)) for line in lines)
        width, lines_of_width = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        score = (lines_of_width / len(lines), width) if width > 1 else (0.0, 0)
        if score > best_score:
            best, best_score = (candidate, width), score
    return best
