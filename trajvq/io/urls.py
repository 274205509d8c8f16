"""URLs of remote files: which are accepted, and how errors are said without the credentials in them."""

import os
import re
from pathlib import Path

from trajvq.errors import UserError

WHOLE = ("s3", "s3a", "gs", "gcs", "az", "abfs")  # stores in which what is written appears whole or not at all
SCHEMES = (*WHOLE, "file", "memory")
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+([^\s\"'\]}]*)")
SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL")


def is_remote(path: str | Path) -> bool:
    """Tell a URL from a local path; a URL that `Path` took a slash from still counts as one."""
    return "://" in str(path) or URL.match(str(path)) is not None


def refuse_credentials(text: str) -> None:
    """Refuse text in which a URL carries a user, a password or a signature.

    Raises:
        UserError: Without the text.
    """
    for scheme, rest in URL.findall(text):
        host = rest.split("/")[0]
        container = scheme.startswith("abfs") and ":" not in host  # abfs://CONTAINER@ACCOUNT/...
        if re.search(r":[^@]*@", rest) or ("@" in host and not container) or re.search(r"[?&#;].*=", rest):
            raise UserError(
                "a URL with a user, password, token or signature in it is refused, since it would be saved with the "
                "run; take it out and give credentials by environment or by the store's own configuration"
            )


def check_url(url: str | Path) -> str:
    """Return a URL that is safe to use, to print and to save, without a slash at its end.

    Raises:
        UserError: If its store is not known, or it holds credentials, a query or steps upwards.
    """
    text = re.sub(r"^([A-Za-z0-9+.-]+):/+", r"\1://", str(url)).rstrip("/")
    refuse_credentials(text)
    scheme, _, rest = text.partition("://")
    if scheme not in SCHEMES:
        raise UserError(f"URLs of kind {scheme[:20]!r} are not known; known: {', '.join(SCHEMES)}")
    plain = re.fullmatch(r"[^\s\\?#*\0]+", rest) and not any(part in ("", ".", "..") for part in rest.split("/"))
    if not plain:
        raise UserError(f"{text!r} is no plain URL; write {scheme}://BUCKET/FOLDER without spaces, queries and '..'")
    return f"file:///{rest}" if scheme == "file" else text


def scrubbed(text: str) -> str:
    """Return text without credentials: neither those of URLs nor those of the environment."""
    text = re.sub(r"://[^/\s@]+@", "://***@", text)
    text = re.sub(r"(?i)((?:signature|credential|token|secret|password)[=:]\s*)[^\s&,;]+", r"\1***", text)
    for name, value in os.environ.items():
        if len(value) > 5 and SECRET.search(name):
            text = text.replace(value, "***")
    return text


def reason(error: BaseException) -> str:
    """Return what an error says, in one line and without credentials."""
    lines = str(error).strip().splitlines()
    return scrubbed(lines[0])[:240] if lines else type(error).__name__
