"""Progress bar of a long job, with its speed and remaining time. Nothing is shown without a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(job: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show a bar that disappears at the end. Yield a function that advances it by a number of steps.

    Args:
        job: Name of the job, such as ``encoding``.
        total: Number of steps.
        done: Number of those done before, which do not count for the speed.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task(job, total=total, completed=done, rate="")

        def advance(steps: int) -> None:
            bar.advance(task, steps)
            speed = bar.tasks[task].speed
            bar.update(task, rate=f"{speed:,.0f}/s" if speed else "")

        yield advance
