"""The nearest right word for a wrong one, and command lines that name it."""

import argparse
import difflib
import inspect
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, NoReturn

from trajvq.errors import UserError, did_you_mean


class Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, with the option that was probably meant."""

    _given: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and keep the words for the message."""
        self._given = list(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        known = [option for option in self._option_string_actions if option.startswith("--")]
        flags = [word.split("=")[0] for word in self._given if word.startswith("--")]
        wrong = [flag for flag in flags if not any(option.startswith(flag) for option in known)]
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if choice:
            known_words = re.findall(r"[\w-]+", choice[2])
            message = f"unknown {choice[1]!r}{did_you_mean(choice[1], known_words)} (one of: {', '.join(known_words)})"
        elif wrong and not self._subparsers:
            message = f"unknown option {wrong[0]}{did_you_mean(wrong[0], known)}"
        raise UserError(f"{message}; see `{self.prog} --help`")


def unknown_option(message: str, options: Iterable[str], classes: Iterable[str] = ()) -> str | None:
    """Turn what the training commands' parser says of an unknown option or class into words that name the right one.

    Args:
        message: Of jsonargparse.
        options: Of the command, such as ``--trainer.max_steps``.
        classes: That may be named in a word.

    Returns:
        The new message, or None if that is not what the message is about.
    """
    required = re.search(r"the following arguments are required: ([\w.]+)\.data, ([\w.]+)\.model", message)
    if required:
        return f"nothing says what to {required[1]}: give a config, such as `--config recon`; see --help"
    word = re.search(r"Expected a dot import path string: (\S+)", message)
    if word:
        meant = did_you_mean(word[1], classes) or "; a class of your own is named as module.Class"
        return f"there is no class {word[1]}{meant}"
    inner = re.search(r"Option '(.*?)' is not accepted", message)
    inside = re.findall(r"Problem with given class_path '([\w.]+)'", message[: inner.start()] if inner else "")
    if inner and inside:
        module, _, name = inside[-1].rpartition(".")
        known = inspect.signature(getattr(import_module(module), name)).parameters
        said = did_you_mean(inner[1], known) or f"; it has: {', '.join(known)}"
        return f"{name} has no option {inner[1]!r}{said}"
    unknown = re.search(r"unrecognized arguments: (--[\w.+-]+)", message)
    if unknown is None:
        return None
    flag, held = str(unknown[1]), [option for option in options if option.startswith("--")]
    head, dot, rest = flag.partition(".")
    heads = {option.partition(".")[0] for option in held}
    if dot and head not in heads:
        near = difflib.get_close_matches(head, heads, n=1, cutoff=0.6)
        return f"unknown option {flag}" + (f"; did you mean {near[0]}.{rest}?" if near else "")
    return f"unknown option {flag}{did_you_mean(flag, held)}"
