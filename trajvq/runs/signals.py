"""Signals that end a training after the current step (`StopSignals`), and any other command at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Schedulers send SIGUSR1 or SIGUSR2 before the time of a job is over (Slurm's --signal, Grid Engine's -notify).
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


class Terminated(KeyboardInterrupt):
    """SIGTERM ended the command."""


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end the block like Ctrl-C, by `Terminated`. `StopSignals` takes its place during a training.

    Lightning, which would only take note of the signal, calls this handler after its own.
    """
    process = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:  # a child that inherited the handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class StopSignals:
    """Remember the first signal that requests a stop. A second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.received = 0  # number of the signal; 0 before there is one
        self._before: dict[signal.Signals, Any] = {}

    def listen(self) -> None:
        """Install the handlers. Python allows that in the main thread only; elsewhere nothing happens."""
        if threading.current_thread() is threading.main_thread() and not self._before:
            self._before = {number: signal.signal(number, self._handle) for number in HANDLED}

    def restore(self) -> None:
        """Restore the previous handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or number
        print(f"{signal.Signals(number).name}: ending after this step", file=sys.stderr, flush=True)
