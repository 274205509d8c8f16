"""Numbers with their noun, and names in a row, for what an import says."""

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """Return ``1 video``, or ``2 videos`` for any other number."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str], most: int) -> str:
    """Return the first names, without empty ones, separated by commas, and ``...`` if there are more."""
    return ", ".join(filter(None, names[:most])) + (", ..." if len(names) > most else "")
