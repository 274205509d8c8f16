"""The parser of the commands that have no config: it reports a mistake in one line and names the nearest option."""

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from trajvq.errors import UserError, did_you_mean


class Parser(argparse.ArgumentParser):
    """An argparse parser whose mistakes are a `UserError` of one line."""

    _arguments: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and keep the arguments for `error`."""
        self._arguments = list(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Report a mistake.

        Raises:
            UserError: Always.
        """
        options = [option for option in self._option_string_actions if option.startswith("--")]
        flags = [argument.split("=")[0] for argument in self._arguments if argument.startswith("--")]
        unknown = [flag for flag in flags if not any(option.startswith(flag) for option in options)]
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if choice:
            names = re.findall(r"[\w-]+", choice[2])
            message = f"unknown {choice[1]!r}{did_you_mean(choice[1], names)} (one of: {', '.join(names)})"
        elif unknown and not self._subparsers:
            message = f"unknown option {unknown[0]}{did_you_mean(unknown[0], options)}"
        raise UserError(f"{message}; see `{self.prog} --help`")
