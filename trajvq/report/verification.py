"""The verification of a dataset as a table in the terminal."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from trajvq.metrics.dataset.verify import verify

SHOWN = 5  # faults or warnings of a check that are printed


def print_verification(folder: Path) -> int:
    """Verify a dataset folder and print a table; returns the exit code: 1 on any fault."""
    checks = verify(folder)
    table = Table(title=str(folder), title_justify="left")
    for name in ("check", "", "found"):
        table.add_column(name, overflow="fold")
    for check in checks:
        state = (
            "[red]FAULT[/red]"
            if check.faults
            else "[yellow]warning[/yellow]"
            if check.warnings
            else "[green]good[/green]"
        )
        lines = [*check.faults, *check.warnings]
        more = [f"and {len(lines) - SHOWN} more lines"] if len(lines) > SHOWN else []
        table.add_row(check.name, state, "\n".join([*lines[:SHOWN], *more]) or check.found)
    Console().print(table)
    return int(any(check.faults for check in checks))
