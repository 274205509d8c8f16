"""Local copies of remote files and datasets: fetched once, verified, and reused by later runs."""

import hashlib
import json
import os
from pathlib import Path

from trajvq.io.locks import locked
from trajvq.io.remote import describe, digest_of, fetch_unverified, fetch_verified, read_sidecar
from trajvq.io.urls import check_url, is_remote


def cache_folder() -> Path:
    """Return the folder of local copies: ``TRAJVQ_CACHE``, or ``~/.cache/trajvq``."""
    return Path(os.environ.get("TRAJVQ_CACHE") or Path.home() / ".cache" / "trajvq")


def local_copy(path: str | Path) -> Path:
    """Return a local file with the content of a path or URL.

    The cache stores the copy of a URL under the SHA-256 in ``NAME.sha256`` beside it. A file without one is stored
    under the store's tag, or under size and date. A file that is in the cache already is not fetched again.

    Args:
        path: A local path, returned unchanged, or a URL such as ``s3://bucket/runs/recon/a/checkpoints/best.ckpt``.

    Raises:
        UserError: If the URL is refused, or the file is missing, corrupt or not reachable.
    """
    if not is_remote(path):
        return Path(path)
    url = check_url(path)
    name = url.rpartition("/")[2]
    folder = cache_folder() / "files" / url_key(url)
    with locked(folder, remedy="set TRAJVQ_CACHE"):
        accepted = read_sidecar(url)
        if accepted is None:
            status = describe(url)
            tag = [str(status.get(key)) for key in ("ETag", "etag", "size", "mtime", "LastModified", "created")]
            cached = folder / url_key(json.dumps(tag)) / name
            if not cached.is_file() or cached.stat().st_size != status["size"]:
                fetch_unverified(url, cached)
            return cached
        for digest in accepted:
            cached = folder / digest.sha256[:16] / name
            if cached.is_file() and digest_of(cached) == digest:
                return cached
        fresh = folder / name
        cached = folder / fetch_verified(url, fresh, accepted).sha256[:16] / name
        cached.parent.mkdir(exist_ok=True)
        return fresh.replace(cached)


def url_key(text: str) -> str:
    """Return a short hash of a URL, as the name of a folder."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
