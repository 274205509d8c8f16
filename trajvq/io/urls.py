"""URLs of remote files: which are accepted, and how messages keep credentials out."""

import os
import re
from pathlib import Path

from trajvq.errors import UserError

WHOLE = ("s3", "s3a", "gs", "gcs", "az", "abfs")  # stores in which an object appears only once it is complete
SCHEMES = (*WHOLE, "file", "memory")
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+([^\s\"'\]}]*)")
SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL")


def is_remote(path: str | Path) -> bool:
    """Return whether a path is a URL, even one that `Path` has reduced to a single slash."""
    return "://" in str(path) or URL.match(str(path)) is not None


def refuse_credentials(text: str) -> None:
    """Refuse text with a URL that contains a user, a password or a signature.

    Raises:
        UserError: If there is one. The message does not repeat the text.
    """
    for scheme, location in URL.findall(text):
        host = location.split("/")[0]
        container = scheme.startswith("abfs") and ":" not in host  # abfs://CONTAINER@ACCOUNT/...
        if re.search(r":[^@]*@", location) or ("@" in host and not container) or re.search(r"[?&#;].*=", location):
            raise UserError(
                "a URL with a user, password, token or signature is refused, since the run would save it; remove it "
                "and set credentials in the environment or in the store's own configuration"
            )


def check_url(url: str | Path) -> str:
    """Return a URL without a trailing slash that is safe to use, print and save.

    Raises:
        UserError: If its kind is not supported, or it contains credentials, a query or ``..``.
    """
    text = re.sub(r"^([A-Za-z0-9+.-]+):/+", r"\1://", str(url)).rstrip("/")
    refuse_credentials(text)
    scheme, _, location = text.partition("://")
    if scheme not in SCHEMES:
        raise UserError(f"URLs of kind {scheme[:20]!r} are not supported; supported: {', '.join(SCHEMES)}")
    plain = re.fullmatch(r"[^\s\\?#*\0]+", location) and not any(
        part in ("", ".", "..") for part in location.split("/")
    )
    if not plain:
        raise UserError(f"{text!r} is not a plain URL; write {scheme}://BUCKET/FOLDER without spaces, queries and '..'")
    return f"file:///{location}" if scheme == "file" else text


def scrubbed(text: str) -> str:
    """Return text with the credentials of URLs and of the environment masked."""
    text = re.sub(r"://[^/\s@]+@", "://***@", text)
    text = re.sub(r"(?i)((?:signature|credential|token|secret|password)[=:]\s*)[^\s&,;]+", r"\1***", text)
    for name, value in os.environ.items():
        if len(value) > 5 and SECRET.search(name):
            text = text.replace(value, "***")
    return text


def reason(error: BaseException) -> str:
    """Return the first line of an error's message, without credentials."""
    lines = str(error).strip().splitlines()
    return scrubbed(lines[0])[:240] if lines else type(error).__name__
