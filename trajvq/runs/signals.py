"""StopSignals: turn SIGTERM, Ctrl-C and a scheduler's warning into a request to end after the current step."""

import signal
import sys
import threading
from types import FrameType
from typing import Any

# Schedulers send SIGUSR1 or SIGUSR2 before the time of a job is over (Slurm's --signal, Grid Engine's -notify).
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


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
