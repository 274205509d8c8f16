"""Local copies of remote files and datasets: fetched once, checked, and kept for the next run."""

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

    A URL is copied to the cache, under the SHA-256 that lies beside it as ``NAME.sha256`` or, for files from
    elsewhere, under the store's own tag or size and date; what is there already is not fetched again.

    Args:
        path: A local path, returned as it is, or a URL such as ``s3://bucket/runs/recon/a/checkpoints/best.ckpt``.

    Raises:
        UserError: If the URL is refused, or the file is missing, corrupt or out of reach.
    """
    if not is_remote(path):
        return Path(path)
    url = check_url(path)
    name = url.rpartition("/")[2]
    folder = cache_folder() / "files" / url_key(url)
    with locked(folder):
        accepted = read_sidecar(url)
        if accepted is None:
            found = describe(url)
            tag = [str(found.get(key)) for key in ("ETag", "etag", "size", "mtime", "LastModified", "created")]
            kept = folder / url_key(json.dumps(tag)) / name
            if not kept.is_file() or kept.stat().st_size != found["size"]:
                fetch_unverified(url, kept)
            return kept
        for digest in accepted:
            kept = folder / digest.sha256[:16] / name
            if kept.is_file() and digest_of(kept) == digest:
                return kept
        fresh = folder / name
        kept = folder / fetch_verified(url, fresh, accepted).sha256[:16] / name
        kept.parent.mkdir(exist_ok=True)
        return fresh.replace(kept)


def url_key(text: str) -> str:
    """Return a short name for a URL, good for a folder."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
