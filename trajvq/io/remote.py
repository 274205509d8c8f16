"""Remote files in any fsspec store: checked URLs, retries, and checksums at both ends.

``NAME.sha256`` beside an object ``NAME`` lists the digests that the object may have. It is written before the object,
so that a complete object always matches it: it lists the old and the new digest during an upload, and one digest
afterwards.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec import AbstractFileSystem
from fsspec.config import conf

from trajvq.io.files import file_sha256, whole_file
from trajvq.io.retries import CorruptError, RemoteError, attempt
from trajvq.io.urls import WHOLE, check_url, reason

SIDECAR = ".sha256"
PART = 32 * 2**20  # bytes read back at a time
MISMATCH = "the received data differ from the sent data"


@dataclass(frozen=True)
class Digest:
    """Identifies the content of a file.

    Attributes:
        sha256: SHA-256, hexadecimal.
        size: Size in bytes.
    """

    sha256: str
    size: int


def digest_of(path: Path) -> Digest:
    """Return the digest of a local file."""
    return Digest(file_sha256(path), path.stat().st_size)


def open_store(url: str) -> tuple[AbstractFileSystem, str]:
    """Return the store of a URL and the path in it.

    Raises:
        UserError: If the URL is refused or the package for its store is not installed.
    """
    url = check_url(url)
    scheme = url.partition("://")[0]
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme in ("s3", "s3a"):
        configured = dict(conf.get("s3", {}).get("config_kwargs", {}))
        # Only `attempt` retries: botocore's own retries would use up random numbers of the generator that a run seeds.
        options["config_kwargs"] = {"retries": {"total_max_attempts": 1}, **configured}
    try:
        store, path = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        extra = "trajvq[s3]" if scheme in ("s3", "s3a") else "the package that fsspec needs"
        raise RemoteError(f"cannot reach {url}: {reason(error)}; install {extra} with pip") from None
    return store, str(path)


def read_sidecar(url: str) -> list[Digest] | None:
    """Return the digests that an object may have: an empty list if the file is not valid, None if there is no file.

    Raises:
        RemoteError: If the store cannot be read.
    """
    store, path = open_store(url + SIDECAR)

    def read() -> bytes | None:
        try:
            return bytes(store.cat_file(path))
        except FileNotFoundError:
            return None

    raw = attempt(f"read {url + SIDECAR}", read)
    if raw is None:
        return None
    try:
        return [Digest(str(entry["sha256"]), int(entry["size"])) for entry in json.loads(raw)["accepted"]]
    except (ValueError, KeyError, TypeError):
        return []


def write_sidecar(url: str, accepted: Sequence[Digest]) -> None:
    """Write the digests that an object may have.

    Raises:
        RemoteError: If the store cannot be written.
    """
    store, path = open_store(url + SIDECAR)
    raw = json.dumps({"accepted": [asdict(digest) for digest in accepted]}).encode()

    def write() -> None:
        _whole(store, path, url, lambda name: store.pipe_file(name, raw))
        if store.cat_file(path) != raw:
            raise OSError(MISMATCH)

    attempt(f"write {url + SIDECAR}", write)


def upload_verified(local: Path, url: str) -> Digest:
    """Upload a file, read it back and compare. Readers see the complete old object or the complete new one.

    Args:
        local: The file. It must not change during the upload.
        url: URL of the object.

    Returns:
        Its digest, which ``url.sha256`` lists from now on.

    Raises:
        RemoteError: If no attempt stored it correctly.
    """
    store, path = open_store(url)
    digest = digest_of(local)
    before = [other for other in read_sidecar(url) or [] if other != digest]
    write_sidecar(url, [digest, *before])

    def upload() -> None:
        _whole(store, path, url, lambda name: store.put_file(str(local), name))
        if _stored(store, path, digest.size) != digest:
            raise OSError(MISMATCH)

    attempt(f"upload {url}", upload)
    if before:
        write_sidecar(url, [digest])
    return digest


def fetch_verified(url: str, local: Path, accepted: Sequence[Digest] | None = None) -> Digest:
    """Download an object to a temporary file, verify it, flush it to disk and rename it.

    Args:
        url: URL of the object.
        local: The file to write or replace.
        accepted: Digests that the object may have. None reads them from ``url.sha256``.

    Returns:
        Its digest.

    Raises:
        CorruptError: If the object has none of these digests on two reads.
        RemoteError: If it is missing, has no ``.sha256`` beside it, or cannot be read.
    """
    if accepted is None:
        accepted = read_sidecar(url)
        if accepted is None:
            raise RemoteError(f"{url} cannot be verified: there is no {url + SIDECAR}")
    return _fetch(url, local, lambda digest: digest in accepted)


def fetch_unverified(url: str, local: Path) -> Digest:
    """Download an object that has no ``.sha256`` beside it. Only its size is verified.

    Raises:
        RemoteError: If it is missing or cannot be read.
    """
    size = describe(url)["size"]
    return _fetch(url, local, lambda digest: size is None or digest.size == size)


def describe(url: str) -> dict[str, Any]:
    """Return the store's description of an object: its size, and a date or tag.

    Raises:
        RemoteError: If it is missing or cannot be read.
    """
    store, path = open_store(url)
    description = attempt(f"read {url}", lambda: store.info(path))
    if description["type"] != "file":
        raise RemoteError(f"{url} is a folder; give the URL of a file")
    return dict(description)


def names_below(url: str) -> list[str]:
    """Return the names of all objects below a folder, relative to it. There are none if it does not exist.

    Raises:
        RemoteError: If the store cannot be read.
    """
    store, path = open_store(url)

    def find() -> list[str]:
        try:
            return [str(name) for name in store.find(path)]
        except FileNotFoundError:
            return []

    root = path.strip("/") + "/"
    names = [name.lstrip("/") for name in attempt(f"list {url}", find)]
    return sorted(name.removeprefix(root) for name in names if name.startswith(root))


def copy_within(source: str, target: str) -> None:
    """Copy an object within its store, together with the digests that it may have.

    Raises:
        RemoteError: If the store cannot copy it.
    """
    store, path = open_store(source)
    _, to = open_store(target)
    digests = read_sidecar(source) or []
    write_sidecar(target, [*digests, *(digest for digest in read_sidecar(target) or [] if digest not in digests)])
    attempt(f"copy {source} to {target}", lambda: _whole(store, to, target, lambda name: store.cp_file(path, name)))


def _whole(store: AbstractFileSystem, path: str, url: str, write: Callable[[str], Any]) -> None:
    """Write an object so that readers never see a part of it: under a temporary name first, if the store needs that."""
    if url.partition("://")[0] in WHOLE:
        write(path)
        return
    folder, _, name = path.rpartition("/")
    store.makedirs(folder, exist_ok=True)
    partial = f"{folder}/.{name}.{os.getpid()}.partial"
    write(partial)
    store.mv(partial, path)


def _stored(store: AbstractFileSystem, path: str, size: int) -> Digest:
    """Return the digest of a stored object. A large one is read in parts."""
    if size <= PART:
        raw = store.cat_file(path)
        return Digest(hashlib.sha256(raw).hexdigest(), len(raw))
    size, hashed = int(store.info(path)["size"]), hashlib.sha256()
    for start in range(0, size, PART):
        hashed.update(store.cat_file(path, start=start, end=min(start + PART, size)))
    return Digest(hashed.hexdigest(), size)


def _fetch(url: str, local: Path, is_right: Callable[[Digest], bool]) -> Digest:
    """Download an object and check its digest, twice if it is wrong the first time."""
    store, path = open_store(url)
    local.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(local) as partial:
        wrong = 0

        def download() -> Digest:
            nonlocal wrong
            store.get_file(path, str(partial))
            digest = digest_of(partial)
            if not is_right(digest):
                wrong += 1
                if wrong == 2:
                    raise CorruptError(f"{url} is corrupt: its {digest.size} bytes are not the ones that were written")
                raise OSError(MISMATCH)
            return digest

        return attempt(f"download {url}", download)
