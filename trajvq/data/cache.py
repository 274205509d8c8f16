"""Local copies of remote files and datasets: fetched once, checked, and kept for the next run."""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trajvq.data.remote import Digest, describe, digest_of, fetch_unverified, fetch_verified, read_sidecar
from trajvq.data.store import MANIFEST, DataError, Manifest, read_manifest
from trajvq.data.urls import check_url, is_remote
from trajvq.errors import UserError


def cache_folder() -> Path:
    """Return the folder of local copies: ``TRAJVQ_CACHE``, or ``~/.cache/trajvq``."""
    return Path(os.environ.get("TRAJVQ_CACHE") or Path.home() / ".cache" / "trajvq")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder and hold it for this process alone; others wait. The lock ends with the process.

    Raises:
        UserError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; for local copies set TRAJVQ_CACHE") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
    folder = cache_folder() / "files" / _key(url)
    with locked(folder):
        accepted = read_sidecar(url)
        if accepted is None:
            found = describe(url)
            tag = [str(found.get(key)) for key in ("ETag", "etag", "size", "mtime", "LastModified", "created")]
            kept = folder / _key(json.dumps(tag)) / name
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


def fetch_dataset(url: str | Path) -> Path:
    """Return a local folder with the dataset of a URL: its manifest, and the shards checked against it.

    Shards that are there and right are not fetched again, and processes that ask at the same time wait for the
    first. The manifest is written last, so a folder that has one is whole.

    Raises:
        UserError: If the dataset is missing, damaged or out of reach.
    """
    url = check_url(url)
    root = cache_folder() / "datasets" / _key(url)
    with locked(root):
        fetch_unverified(f"{url}/{MANIFEST}", root / MANIFEST)
        manifest = read_manifest(root)
        folder = root / manifest.sha256[:16]
        whole = (folder / MANIFEST).is_file()
        shards = [entry for entries in manifest.splits.values() for entry in entries]
        wanted = []
        for entry in shards:
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.h5", str(entry["file"])):
                raise DataError(
                    f"the manifest of {url} names a shard {str(entry['file'])[:80]!r}, which is no file name"
                )
            if not _there(folder / entry["file"], Digest(entry["sha256"], entry["bytes"]), whole):
                wanted.append(entry)
        if wanted:
            megabytes = sum(entry["bytes"] for entry in wanted) / 1e6
            print(
                f"fetching {len(wanted)} of {len(shards)} shards, {megabytes:,.0f} MB, of {url} to {folder}", flush=True
            )
        for entry in wanted:
            digest = Digest(entry["sha256"], entry["bytes"])
            fetch_verified(f"{url}/{entry['file']}", folder / entry["file"], [digest])
        if not whole:
            _write(manifest, folder)
    return folder


def _there(path: Path, digest: Digest, whole: bool) -> bool:
    """Tell whether a shard is there; in a folder that was whole once its length says enough."""
    if not path.is_file() or path.stat().st_size != digest.size:
        return False
    return whole or digest_of(path) == digest


def _write(manifest: Manifest, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)  # a dataset without shards has none yet
    manifest.write(folder)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
