"""Rewrite the command line of a training command the way its parser wants it."""

import json
import re
from collections.abc import Sequence
from typing import Any

from trajvq.commands.configs import find_config, is_empty

NESTED = re.compile(r"--(model|data)\.(?:init_args\.)?(\w+(?:\.\w+)+)")  # an option of a class within a class


def resolved(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with shipped configs by path, ``--help`` for ``--help_all``, and nested nulls as configs.

    Empty configs are left out.

    Raises:
        UserError: If a config does not exist or cannot be read.
    """
    rewritten: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        option, equals, value = argument.partition("=")
        if option in ("--config", "-c"):
            name = value if equals else next(remaining, None)
            path = None if name is None else find_config(name)
            if path is None:
                rewritten.append(option)
            elif not is_empty(path):
                rewritten += [option, path]
        elif argument == "--help_all":
            rewritten.append("--help")
        elif NESTED.fullmatch(option) and not equals:
            following = next(remaining, None)
            if following == "null":
                rewritten.append(f"--config={_null(option)}")
            else:
                rewritten += [argument] if following is None else [argument, following]
        elif NESTED.fullmatch(option) and value == "null":
            rewritten.append(f"--config={_null(option)}")
        else:
            rewritten.append(argument)
    return rewritten


def _null(option: str) -> str:
    """Return a config that sets a nested option to null. jsonargparse 4.53 would read the argument as a string."""
    match = NESTED.fullmatch(option)
    assert match is not None
    content: Any = None
    for name in reversed([name for name in match[2].split(".") if name != "init_args"]):
        content = {"init_args": {name: content}}
    return json.dumps({match[1]: content})
