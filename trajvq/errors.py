"""Errors that a user can cause. Each message is one line: what is wrong, where, and what to do."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Ends the program with one line instead of a traceback, and with exit code 2."""

    exit_code = 2


class DataError(UserError):
    """A dataset or a file to import is missing, damaged or does not fit."""


class CollapseError(UserError):
    """The tokenizer does not learn, so training stopped. The exit code is 3."""

    exit_code = 3


class StoppedError(UserError):
    """A signal ended the run. It is saved, and the same command continues it.

    Args:
        message: What was stopped, where, and how to continue.
        signal_number: Number of the signal. The exit code is 128 more, as in shells.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return ``; did you mean CANDIDATE?`` for the most similar candidate, or an empty string if none is similar."""
    nearest = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.6)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def first_line(error: BaseException) -> str:
    """Return the first line of the message of an error, or the name of its class if it has no message."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
