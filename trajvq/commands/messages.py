"""Turn the messages of jsonargparse, which parses the training commands, into one line that says what to do."""

import difflib
import inspect
import re
from collections.abc import Iterable
from importlib import import_module

from omegaconf.errors import OmegaConfBaseException

from trajvq.errors import did_you_mean, first_line
from trajvq.io.renamed import CLASSES, new_option, new_values

LONGEST = 600  # characters of a message


def explain(message: str, options: Iterable[str], classes: Iterable[str] = ()) -> str | None:
    """Explain a missing config, an unknown or renamed option, an old value, or an unknown class.

    Args:
        message: The message of jsonargparse.
        options: All options of the command, such as ``--trainer.max_steps``.
        classes: The classes that a config may name without their module.

    Returns:
        The explanation, or None if the message is about something else.
    """
    required = re.search(r"the following arguments are required: ([\w.]+)\.data, ([\w.]+)\.model", message)
    if required:
        return f"nothing says what to {required[1]}: give a config, such as `--config recon`; see --help"
    name = re.search(r"Expected a dot import path string: (\S+)", message)
    if name and name[1] in CLASSES:
        return f"class {name[1]} is now {CLASSES[name[1]]}"
    if name:
        nearest = did_you_mean(name[1], classes) or "; write a class of your own as module.Class"
        return f"there is no class {name[1]}{nearest}"
    rejected = re.search(r"Option '(.*?)' is not accepted", message)
    if rejected:
        return _explain_rejected(rejected[1], message[: rejected.start()])
    for class_path, option in re.findall(r"Problem with given class_path '([\w.]+)':\s+Parser key \"(\w+)\"", message):
        values = new_values(class_path, option)
        if values:
            return f"{option} of {class_path.rpartition('.')[2]} takes {values}"
    unknown = re.search(r"unrecognized arguments: --([\w.+-]+)", message)
    if unknown:
        return _explain_unknown(f"--{unknown[1]}", options)
    key = re.search(r"(?:Group '(.*?)'|Subcommand '\w+') does not accept option '(.*?)'", message)  # of a config
    return _explain_unknown("--" + ".".join(filter(None, key.groups())), options) if key else None


def arguments_of(owner: type) -> list[str]:
    """Return the names of the arguments of a class, those that it passes on to its bases included."""
    names: dict[str, None] = {}
    for base in owner.__mro__:
        if "__init__" in vars(base):
            parameters = list(inspect.signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
            variable = [p for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
            names |= dict.fromkeys(p.name for p in parameters if p not in variable)
            if not variable:
                break
    return list(names)


def _explain_rejected(option: str, context: str) -> str | None:
    """Explain an option that a class does not have.

    Args:
        option: Its name.
        context: The message up to this option, which names the class and the keys that lead to it.
    """
    class_paths = re.findall(r"Problem with given class_path '([\w.]+)'", context)
    if not class_paths:
        return None
    key = new_option(class_paths[-1], option)
    if key:
        group = ".".join(re.findall(r"Parser key \"([\w.]+)\"", context))
        return f"{group}.{option} is now " + (key if key.startswith("model.") else f"{group}.{key}")
    module, _, name = class_paths[-1].rpartition(".")
    parameters = arguments_of(getattr(import_module(module), name))
    nearest = did_you_mean(option, parameters) or f"; it has: {', '.join(parameters)}"
    return f"{name} has no option {option!r}{nearest}"


def _explain_unknown(flag: str, options: Iterable[str]) -> str:
    """Explain an option that the command does not have."""
    flags = [option for option in options if option.startswith("--")]
    group, dot, key = flag.partition(".")
    groups = {option.partition(".")[0] for option in flags}
    if dot and group not in groups:
        nearest = difflib.get_close_matches(group, groups, n=1, cutoff=0.6)
        return f"unknown option {flag}" + (f"; did you mean {nearest[0]}.{key}?" if nearest else "")
    return f"unknown option {flag}{did_you_mean(flag, flags)}"


def explain_interpolation(error: OmegaConfBaseException) -> str:
    """Explain an interpolation of a config, such as ``${oc.env:STEPS}``, that cannot be resolved."""
    key = str(error.full_key or "").partition(".")[2]  # without the command
    reason = re.sub(r"^\w+ raised while resolving interpolation: ", "", first_line(error)).strip('"')
    variable = re.search(r"Environment variable '(.*?)' not found", reason)
    remedy = f"set it, or write ${{oc.env:{variable[1]},DEFAULT}}" if variable else "correct its ${...}"
    return f"{key or 'a config'}: {reason}; {remedy}"


def first_problem(error: BaseException) -> str:
    """Reduce a message of jsonargparse or Lightning to the part that says what is wrong, as one line."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -")]
    if lines[0].startswith("Does not validate") and "Errors:" in lines:
        lines = lines[lines.index("Errors:") + 1 :]  # the error of the intended class comes first
    innermost = [number for number, line in enumerate(lines) if line.startswith("Problem with given class_path")]
    lines = lines[innermost[-1] if innermost else 0 :]
    # The other types that a value may have; a line about the type that was meant says more.
    other = re.compile(r"Expected a <class '[\w.]+'>|Given value.*")
    lines = [line for line in lines if not other.fullmatch(line)] or lines
    return re.sub(r"\s+", " ", "; ".join(lines)).replace(":;", ":")[:LONGEST]
