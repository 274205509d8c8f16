"""The words of a training command as its parser wants them."""

import json
import re
from collections.abc import Sequence
from typing import Any

from trajvq.commands.configs import find_config

DEEP = re.compile(r"--(model|data)\.(?:init_args\.)?(\w+(?:\.\w+)+)")  # an option of a class within a class


def resolved(words: Sequence[str]) -> list[str]:
    """Return the words with shipped configs found by name, ``--help_all``, and nulls where the parser cannot read them.

    Raises:
        UserError: If there is no such config.
    """
    found: list[str] = []
    pairs = iter(words)
    for word in pairs:
        option, equals, value = word.partition("=")
        if option in ("--config", "-c"):
            name = value if equals else next(pairs, None)
            found += [option] if name is None else [option, find_config(name)]
        elif word == "--help_all":
            found.append("--help")
        elif DEEP.fullmatch(option) and not equals:
            following = next(pairs, None)
            if following == "null":
                found.append(f"--config={_null(option)}")
            else:
                found += [word] if following is None else [word, following]
        elif DEEP.fullmatch(option) and value == "null":
            found.append(f"--config={_null(option)}")
        else:
            found.append(word)
    return found


def _null(option: str) -> str:
    """Return a config that sets an option of a class within a class to null: jsonargparse 4.53 takes it for a word."""
    match = DEEP.fullmatch(option)
    assert match is not None
    held: Any = None
    for name in reversed([name for name in match[2].split(".") if name != "init_args"]):
        held = {"init_args": {name: held}}
    return json.dumps({match[1]: held})
