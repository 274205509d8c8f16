"""Errors that a user can cause: one line that says what is wrong, where, and what to do."""


class UserError(Exception):
    """Ends the program with its message, one line without a traceback, and exit code 2."""

    exit_code = 2


class CollapseError(UserError):
    """The tokenizer does not learn; training was stopped with exit code 3."""

    exit_code = 3
