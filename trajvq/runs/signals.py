"""StopSignals: SIGTERM and Ctrl-C as a wish to end after the step in flight."""

import signal
import sys
import threading
from types import FrameType
from typing import Any

HEARD = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Remembers the first signal that asks to stop; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.received = 0  # number of the signal
        self._before: dict[signal.Signals, Any] = {}

    def listen(self) -> None:
        """Take the signals over, where Python allows it: in the main thread."""
        if threading.current_thread() is threading.main_thread() and not self._before:
            self._before = {number: signal.signal(number, self._hear) for number in HEARD}

    def restore(self) -> None:
        """Give the signals back to whom they belonged before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or number
        print(f"{signal.Signals(number).name}: ending after this step", file=sys.stderr, flush=True)
