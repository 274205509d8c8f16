"""Provenance of a run: the commands that made it, and the versions they ran with."""

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
    """Return the versions of Python and of packages that affect figures, the commit of a checkout, and the machine."""
    packages = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:  # run from a checkout that was never installed
            packages[name] = "not installed"
    commit = _commit()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    return packages | ({"commit": commit} if commit else {}) | {"machine": f"{machine}, {device}"}


def note_command(run: Path, arguments: Sequence[str], sources: Mapping[str, Any]) -> None:
    """Add a command to ``provenance.json`` of a run.

    Args:
        run: The run folder.
        arguments: The command line after ``trajvq``.
        sources: What the run was made from, such as path and hash of the dataset.
    """
    path = run / PROVENANCE
    provenance = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"commands": []}
    command = {
        "command": shlex.join(["trajvq", *arguments]),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        **sources,
        "versions": versions(),
    }
    provenance["commands"].append(command)
    write_text(path, json.dumps(provenance, indent=1))


def _commit() -> str:
    """Return the commit of the checkout that holds this package, with ``+`` if files differ; empty outside of one."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # a run needs no git
        return ""
