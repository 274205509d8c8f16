"""Errors that a user can cause: one line that says what is wrong, where, and what to do."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Ends the program with its message, one line without a traceback, and exit code 2."""

    exit_code = 2


class CollapseError(UserError):
    """The tokenizer does not learn; training was stopped with exit code 3."""

    exit_code = 3


class StoppedError(UserError):
    """A signal ended the run; it is saved, and the same command continues it.

    Args:
        message: What was stopped, where, and how it is continued.
        signal_number: The signal; the exit code is 128 more, as shells have it.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean WORD?`` for the nearest known word, or nothing where none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
