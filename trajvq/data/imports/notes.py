"""The ledger of an import: what was found, taken, left out and assumed. It is printed, and kept in the manifest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trajvq.data.imports.plurals import counted


class Ledger:
    """Print what an import does, one line each, and keep it for the manifest.

    Args:
        path: The file or folder that is imported. Lines are printed behind its path, and kept without it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: dict[str, dict[str, Any]] = {}
        self.notes: list[str] = []

    def note(self, line: str) -> None:
        """Print and keep a line; nothing if it is empty."""
        if line:
            print(f"{self.path}: {line}")
            self.notes.append(line.replace(f"{self.path}/", ""))

    def count(self, noun: str, found: int, left_out: Mapping[str, int]) -> None:
        """Print and keep how many of a kind were found, taken and left out. Without any left out, they are only kept.

        Args:
            noun: What is counted, in the singular.
            found: Number of what was found.
            left_out: Number of what was left out by reason. The rest was taken.
        """
        omitted = {reason: number for reason, number in left_out.items() if number}
        taken = found - sum(omitted.values())
        self.counts[f"{noun}s"] = {"found": found, "taken": taken, "left_out": omitted}
        if omitted:
            reasons = ", ".join(f"{number:,} {reason}" for reason, number in omitted.items())
            print(f"{self.path}: {counted(found, noun)} found, {taken:,} taken; left out: {reasons}")

    @property
    def content(self) -> dict[str, Any]:
        """What goes into the manifest: ``counts`` by noun, and ``notes``."""
        return {"counts": self.counts, "notes": self.notes}
