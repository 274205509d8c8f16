"""The ledger of an import: what was found, taken, left out and assumed. It is printed, and kept in the manifest."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trajvq.data.imports.plurals import counted

NAMED = 5  # of what is left out for one reason


class Ledger:
    """Print what an import does, one line each, and keep it for the manifest.

    Args:
        path: The file or folder that is imported. Lines are printed behind its path, and kept without it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: dict[str, dict[str, Any]] = {}
        self.notes: list[str] = []
        self.details: dict[str, Any] = {}  # further entries of the manifest
        self._omitted: dict[str, dict[str, int]] = {}  # by noun and reason: what `count` is still to count

    def note(self, line: str) -> None:
        """Print and keep a line; nothing if it is empty."""
        if line:
            print(f"{self.path}: {line}")
            self.notes.append(line.replace(f"{self.path}/", ""))

    def leave_out(self, noun: str, reason: str, number: int, names: Sequence[str] = ()) -> None:
        """Take down what is left out, for the next `count` of its kind, and print the first names.

        Args:
            noun: What it is, in the singular.
            reason: Why.
            number: How many; nothing is taken down for 0.
            names: Of the first ones, or of all.
        """
        if not number:
            return
        reasons = self._omitted.setdefault(noun, {})
        reasons[reason] = reasons.get(reason, 0) + number
        if names:
            more = f" and {number - NAMED:,} more" if number > NAMED else ""
            self.note(f"{counted(number, noun)} {reason} left out: {', '.join(names[:NAMED])}{more}")

    def count(self, noun: str, total: int, left_out: Mapping[str, int] | None = None) -> None:
        """Print and keep how many of a kind were found, taken and left out. Without any left out, they are only kept.

        Args:
            noun: What is counted, in the singular.
            total: Number of what was found.
            left_out: Number of what was left out by reason, besides what `leave_out` took down. The rest was taken.
        """
        omitted = self._omitted.pop(noun, {}) | {reason: n for reason, n in (left_out or {}).items() if n}
        taken = total - sum(omitted.values())
        self.counts[f"{noun}s"] = {"found": total, "taken": taken, "left_out": omitted}
        if omitted:
            reasons = ", ".join(f"{number:,} {reason}" for reason, number in omitted.items())
            print(f"{self.path}: {counted(total, noun)} found, {taken:,} taken; left out: {reasons}")

    @property
    def content(self) -> dict[str, Any]:
        """What goes into the manifest: ``counts`` by noun, ``notes``, and `details`."""
        return {"counts": self.counts, "notes": self.notes, **self.details}
