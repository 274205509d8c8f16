"""Dropout: the share dropped in training, which parts of a generator may leave open."""

from typing import Literal

Dropout = float | Literal["auto"]  # auto: the task chooses by the number of training clips; without a task 0


def share(dropout: Dropout) -> float:
    """Return the share to drop."""
    return 0.0 if dropout == "auto" else dropout
