"""The scores of points: where a table has them, and which are too low for a point to be used."""

from pathlib import Path

import numpy as np

from trajvq.data.imports.cells import Column, Mask, cell, decimal_commas, numbers
from trajvq.data.imports.columns import SCORES, plain
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.tables import Table
from trajvq.errors import DataError


def no_scores(path: Path) -> DataError:
    """Return the error for a least score of a table that has no scores."""
    names = f"{', '.join(SCORES[:-1])} or {SCORES[-1]}"
    return DataError(f"{path} has no scores (a column {names}), so --min-score does not apply; leave it out")


def are_low(score: Column, min_score: float, table: Table, ledger: Ledger) -> Mask:
    """Return which scores of a column, N cells, are below the least one. Empty ones are not.

    Raises:
        DataError: If a score is no number.
    """
    scores, bad = numbers(score, decimal_commas([score], table.separator))
    if bad.any():
        value = cell(score, int(bad.argmax()))[:40]
        raise DataError(f"{ledger.path} has the score {value}, which is no number; fix it, or leave out --min-score")
    return np.asarray(scores < min_score)


def sure_rows(table: Table, min_score: float, ledger: Ledger) -> Mask:
    """Return which rows of a table with one point a row have a score that is not too low, and count the others.

    Args:
        table: The table.
        min_score: The least score.
        ledger: Takes the number of those left out.

    Raises:
        DataError: If there are no scores, or one is no number.
    """
    called = [plain(name) for name in table.names]
    score = next((called.index(name) for name in SCORES if name in called), None)
    if score is None:
        raise no_scores(ledger.path)
    low = are_low(table.columns[score], min_score, table, ledger)
    ledger.leave_out("row", f"with a score below {min_score}", int(low.sum()))
    return ~low
