"""The ``trajvq`` command. It starts fast, because a command is imported only when it is called."""

import errno
import io
import os
import select
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from trajvq import __version__
from trajvq.commands.help import VERBS, help_text
from trajvq.errors import UserError, did_you_mean, first_line
from trajvq.runs.signals import Terminated, sigterm_interrupts

COMMANDS = {
    "fit": "train a model, e.g. trajvq fit --config recon",
    "validate": "print the figures of a checkpoint on the validation split",
    "test": "score a checkpoint beside trivial answers, e.g. trajvq test --config recon",
    "predict": "write the predictions of a checkpoint for a split",
    "data": "generate, import, verify and show datasets",
    "sample": "sample clips by class, as a dataset and as pictures",
    "tokenize": "write a dataset as tokens with label, equation and description",
    "chart": "write an eye chart: how small and faint an object does a tokenizer keep?",
    "score": "score anyone's clips against a dataset split",
    "report": "write one HTML file about one or more runs, e.g. trajvq report runs/recon/latest --out report.html",
    "export": "write a tokenizer as safetensors with a model card, to load without Lightning",
}

# A folder that must not be changed. Where a command knows more, it says so itself.
NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)

USAGE = """usage: trajvq COMMAND ...

Train and measure video tokenizers that keep small moving objects.

{commands}

`trajvq COMMAND --help` lists the options of a command. Any value of a config can be set as --KEY VALUE.
`--plugin MODULE` imports a module of yours first, such as a motion family; every command takes it.
`trajvq --version` prints the version.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    The exit code is 0 for success, 1 for damaged data, 2 for a mistake, 3 for a collapse and 128 + N for signal N.

    Args:
        arguments: The command and its options. The default is those of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # terminals without these letters, and names that are no text
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with sigterm_interrupts():
            code = _run(arguments[0] if arguments else "--help", arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as error:
        print("trajvq: stopped; the same command starts again", file=sys.stderr)
        return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest when it ends
        return 128 + signal.SIGPIPE
    except UserError as error:
        # An error of a loader process comes wrapped in a traceback of that process. Its last line is our message.
        line = str(error).strip().splitlines()[-1].removeprefix(f"{type(error).__module__}.{type(error).__name__}: ")
        print(f"trajvq: {line}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.errno not in NOT_WRITABLE:
            raise
        reason = f"{error.filename}: {error.strerror}" if error.filename else first_line(error)
        print(f"trajvq: cannot write {reason}; name another file or folder", file=sys.stderr)
        return UserError.exit_code


def _run(command: str, arguments: list[str]) -> int:
    """Run one command.

    Args:
        command: Its name.
        arguments: The whole command line.

    Raises:
        UserError: If there is no such command, or from the command.
    """
    if command in ("-h", "--help"):
        print(USAGE.format(commands="\n".join(f"  {name:10} {text}" for name, text in COMMANDS.items())))
        return 0
    if command == "--version":
        print(f"trajvq {__version__}")
        return 0
    if command not in COMMANDS:
        raise UserError(f"unknown command {command!r}{did_you_mean(command, COMMANDS)}; see `trajvq --help`")
    sys.path.insert(0, os.getcwd())  # for plugins, and for classes that configs and checkpoints name
    arguments = _import_plugins(arguments)
    if command not in VERBS:
        return int(import_module(f"trajvq.commands.{command}").main(arguments[1:]))
    if {"-h", "--help"} & set(arguments):
        print(help_text(command))
        return 0
    return int(import_module("trajvq.commands.fit").main(arguments))


def _nobody_reads() -> bool:
    """Return whether standard output is a pipe that nobody reads any more, as in ``trajvq ... | head``."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return bool(poll.poll(0))


def _import_plugins(arguments: list[str]) -> list[str]:
    """Import the modules named by ``--plugin``, and return the other arguments.

    ``data`` keeps the option, since the worker processes of ``data generate`` import the modules, too.

    Raises:
        UserError: If a module cannot be imported.
    """
    others, plugins, words = [], [], iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        if option == "--plugin":
            plugins.append(value if equals else next(words, ""))
        else:
            others.append(word)
    if not plugins:
        return arguments
    import_module("trajvq.data.synthetic.plan").import_plugins(plugins)
    return arguments if arguments[:2] == ["data", "generate"] else others  # its workers import them, too


if __name__ == "__main__":
    sys.exit(main())
