"""Read a table of any program: CSV or other separated text, or Parquet."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from trajvq.data.imports.cells import Column, without_encoding
from trajvq.data.imports.dialect import dialect_of
from trajvq.data.imports.encoding import decode
from trajvq.data.imports.plurals import counted
from trajvq.data.imports.separated import read_separated
from trajvq.errors import DataError, first_line

TEXT = (".csv", ".tsv", ".txt", ".dat")
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Table:
    """A table of N rows.

    Attributes:
        names: Of the columns; their numbers from 1, if the table has no header.
        columns: N cells each; text, if the file is text.
        rows: ``(N,)`` numbers of the rows in the file, from 1 under the header.
        header: Whether the table has one.
        above: The line right above the rows, if it holds words and is no header that fits; for messages.
        separator: Between cells, if the file is text.
        bad: Rows that cannot be read: number and reason.
        notes: What was detected and skipped, one line each.
    """

    names: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: NDArray[np.int64]
    header: bool = True
    above: str = ""
    separator: str = ""
    bad: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()


def read_table(path: Path) -> Table:
    """Read a table.

    Raises:
        DataError: If it cannot be read.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in PARQUET:
            content = parquet.ParquetFile(path).read()
            rows = np.arange(1, content.num_rows + 1)
            names = tuple(" ".join(name.splitlines()) for name in content.column_names)
            return Table(names, tuple(map(without_encoding, content.columns)), rows)
        if suffix not in TEXT:
            packed = suffix in (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z")
            advice = (
                "unpack it"
                if packed
                else "save it as .csv"
                if suffix.startswith((".xls", ".ods"))
                else "give .csv, .tsv, .txt or .parquet"
            )
            raise DataError(f"{path}: {suffix or 'no ending'} is not known; {advice}")
        content, remark = decode(path)
        dialect = dialect_of(content, path)
        columns, rows, bad, comments = read_separated(content, dialect)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(f"{path} is not a readable table ({first_line(error)})") from None
    notes = [*remark, *dialect.notes]
    if comments:
        notes.append(f"{counted(comments, 'comment')} between the rows skipped")
    return Table(
        dialect.names, columns, rows, dialect.header, dialect.above, dialect.separator, tuple(bad), tuple(notes)
    )
