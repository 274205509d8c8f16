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
SAMPLE, SAMPLE_LINES = 2**16, 20  # least characters and lines that tell the dialect
LARGEST_SAMPLE = 2**22  # characters, however few lines they are
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
        above: The line right above the rows, if it holds words and is no header that fits; for messages.
        notes: What was detected and skipped, one line each.
    """

    separator: str
    names: tuple[str, ...]
    header: bool
    start: int
    above: str
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
        try:
            row = next(csv.reader([self.text], delimiter=separator, skipinitialspace=True), [])
        except csv.Error:  # a cell larger than any: not this separator
            row = [self.text]
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
    lines = list(_lines(content))
    requested = re.fullmatch(r"sep=([,;|\t])", lines[0].text) if lines else None  # as Excel reads and writes it
    lines = lines[1:] if requested else lines
    plain = [line for line in lines if not line.is_comment]
    separator, width = _separator(plain, [requested[1]] if requested else list(SEPARATORS))
    if width < 2:
        words = ", ".join(SEPARATORS.values())
        raise DataError(f"{path} is not a readable table: no columns are separated by {words}; save it as .csv")
    first = next(k for k, line in enumerate(lines) if not line.is_comment and len(line.cells(separator)) == width)
    notes = [] if separator == "," else [f"separated by {SEPARATORS[separator]}"]
    names, skipped, above = lines[first].cells(separator), first, ""
    numbered = names[not names[0] :] == [str(number) for number in range(width - (not names[0]))]
    header, start = numbered or not _is_data(names), lines[first].stop
    if numbered:  # as pandas writes it, perhaps with a column for its index
        notes.append(f"the header is the numbers 0 to {names[-1]}")
    if not header:
        before = lines[first - 1] if first else None
        names, remark = _header_before(before, plain, separator, width)
        header, start = bool(names), lines[first].start
        skipped -= header
        notes += [remark] if remark else []
        if before and not header and re.search(r"[^\W\d_]", before.text):
            above = before.text.strip()
    if skipped:
        notes.append(f"{counted(skipped, 'line')} before the table skipped")
    names = names if header else [str(number + 1) for number in range(width)]
    return Dialect(separator, tuple(names), header, start, above, tuple(notes))


def _lines(content: str) -> Iterator[_Line]:
    """Yield the first lines that are not blank."""
    count = 0
    for match in re.finditer(r"([^\r\n]*)(\r\n|\r|\n|$)", content):
        if match.end() > (SAMPLE if count >= SAMPLE_LINES else LARGEST_SAMPLE):
            return
        if match[1].strip():
            count += 1
            yield _Line(match[1], match.start(), match.end())


def _is_data(cells: Sequence[str]) -> bool:
    """Return whether cells are those of a row rather than of a header: at least two are numbers."""
    return sum(bool(NUMBER.fullmatch(cell)) for cell in cells) >= 2


def _header_before(line: _Line | None, plain: Sequence[_Line], separator: str, width: int) -> tuple[list[str], str]:
    """Return the names in the line before the first row, and a remark; no names if it is no header.

    A header may be a comment, have a separator of its own or one more at the end, or lack the name of one column: the
    row names that R writes at the beginning, or an empty one at the end.
    """
    if line is None:
        return [], ""
    text = _Line(line.text.lstrip().lstrip("#%/") if line.is_comment else line.text, line.start, line.stop)
    own = separator != " " and len(text.cells(separator)) > 1
    for candidate in (separator,) if own else SEPARATORS:
        names = text.cells(candidate)
        if len(names) == width + 1 and not names[-1]:
            names.pop()
        if len(names) == width and not _is_data(names):
            return names, "header in a comment" if line.is_comment else ""
    names = line.cells(separator)
    if line.is_comment or len(names) != width - 1 or _is_data(names):
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
