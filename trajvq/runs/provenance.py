"""Where a run comes from: the commands that made it, and the versions they ran with."""

import json
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from trajvq.io.files import write_text

PROVENANCE = "provenance.json"
PACKAGES = ("trajvq", "torch", "lightning", "numpy", "jsonargparse", "wandb")


def versions() -> dict[str, str]:
    """Return versions of Python and of what figures may depend on, the commit of a checkout, and the machine."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout that was never installed
            found[name] = "not installed"
    commit = _commit()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    return found | ({"commit": commit} if commit else {}) | {"machine": f"{machine}, {device}"}


def note_command(run: Path, arguments: Sequence[str], about: Mapping[str, Any]) -> None:
    """Add a command to ``provenance.json`` of a run.

    Args:
        run: The run folder.
        arguments: As given to ``trajvq``.
        about: What else is known, such as the hash of the dataset.
    """
    path = run / PROVENANCE
    held = json.loads(path.read_text()) if path.exists() else {"commands": []}
    command = {
        "command": shlex.join(["trajvq", *arguments]),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        **about,
        "versions": versions(),
    }
    held["commands"].append(command)
    write_text(path, json.dumps(held, indent=1))


def _commit() -> str:
    """Return the commit of the checkout this package lies in, with ``+`` if files differ; empty outside of one."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return ""
    try:
        ask = ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
        return subprocess.run(ask, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git here; a run does not need it
        return ""
