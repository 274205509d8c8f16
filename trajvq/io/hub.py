"""Repositories of the Hugging Face Hub as local folders, by the optional package huggingface_hub."""

import re
from collections.abc import Sequence
from pathlib import Path

from trajvq.errors import UserError
from trajvq.io.urls import reason

REPOSITORY = re.compile(r"hf:/+([\w.-]+/[\w.-]+)(?:@([\w./-]+))?/?")  # `Path` reduces // to /


def is_hub(source: str | Path) -> bool:
    """Return whether a name is one of the Hugging Face Hub, ``hf://...``, rather than a path or another URL."""
    return str(source).startswith("hf:/")


def hub_folder(source: str | Path, files: Sequence[str]) -> Path:
    """Download files of a model repository, unless the cache of huggingface_hub has them, and return their folder.

    Without a network the cached files are used. Private repositories need a login by ``hf auth login``.

    Args:
        source: ``hf://OWNER/NAME`` or ``hf://OWNER/NAME@REVISION``, a branch, tag or commit.
        files: Names of the files.

    Raises:
        UserError: If it names no repository, huggingface_hub is not installed, or the download fails.
    """
    match = REPOSITORY.fullmatch(str(source))
    if match is None:
        raise UserError(f"{source} names no model repository; write hf://OWNER/NAME or hf://OWNER/NAME@REVISION")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise UserError(f"{source} needs huggingface_hub; install it with `pip install 'trajvq[hub]'`") from None
    name, revision = match.groups()
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(files)))
    except (OSError, ValueError) as error:  # its errors of the network, of login and of names are all one of these
        raise UserError(f"cannot download {source}: {reason(error)}") from None
