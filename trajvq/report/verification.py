"""The checks of a dataset as a table in the terminal."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from trajvq.metrics.dataset.verify import verify

MOST_LINES = 5  # printed for one check


def print_verification(folder: Path) -> int:
    """Verify a dataset folder and print a table; return the exit code, 1 if there is a fault."""
    checks = verify(folder)
    table = Table(title=str(folder), title_justify="left")
    for name in ("check", "", "details"):
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
        more = [f"and {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
        table.add_row(check.name, state, "\n".join([*lines[:MOST_LINES], *more]) or check.summary)
    Console().print(table)
    return int(any(check.faults for check in checks))
