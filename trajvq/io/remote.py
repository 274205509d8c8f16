"""Remote files: any fsspec store behind checked URLs, with retries, and with checksums at both ends.

Beside an object ``NAME`` lies ``NAME.sha256``, the digests that it may have. It is written before the object, so
that there is no moment at which an object that arrived whole does not fit it: several digests while an upload is
under way, one when it is done.
"""

import errno
import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from fsspec import AbstractFileSystem
from fsspec.config import conf

from trajvq.errors import UserError
from trajvq.io.files import file_sha256, whole_file
from trajvq.io.urls import WHOLE, check_url, reason

T = TypeVar("T")
SIDECAR = ".sha256"
ATTEMPTS = 6
FIRST, LONGEST = 0.5, 8.0  # seconds between attempts: doubled each time, up to the second
PART = 32 * 2**20  # bytes read back at a time
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
PERMANENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, NotImplementedError)
PERMANENT_NAMES = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "ParamValidationError")
DAMAGE_NAMES = ("FlexibleChecksumError",)  # botocore: the store's own checksum does not fit what it sends
# Not the generator that a training run is seeded by: a retry must not change what is drawn.
_JITTER = random.SystemRandom()


class RemoteError(UserError):
    """A remote file cannot be read or written."""


class CorruptError(RemoteError):
    """What a store holds is not what was written there."""


@dataclass(frozen=True)
class Digest:
    """What identifies the content of a file.

    Attributes:
        sha256: Hexadecimal.
        size: Bytes.
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
        held = dict(conf.get("s3", {}).get("config_kwargs", {}))
        # One loop of retries, ours: botocore's own draws its waits from the generator that the run is seeded by.
        options["config_kwargs"] = {"retries": {"total_max_attempts": 1}, **held}
    try:
        store, path = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        extra = "trajvq[s3]" if scheme in ("s3", "s3a") else "the package that fsspec wants"
        raise RemoteError(f"cannot reach {url}: {reason(error)}; install {extra} with pip") from None
    return store, str(path)


def is_permanent(error: Exception) -> bool:
    """Tell whether trying again is of no use."""
    full = isinstance(error, OSError) and error.errno in FULL
    return full or isinstance(error, PERMANENT) or type(error).__name__ in PERMANENT_NAMES


def attempt(what: str, work: Callable[[], T]) -> T:
    """Do something with a store, again after errors that may pass, with exponentially longer, random waits.

    Raises:
        RemoteError: In one line, after the last attempt or at once where trying again is of no use.
    """
    for number in range(ATTEMPTS):
        try:
            return work()
        except UserError:
            raise
        except Exception as error:  # fsspec's stores raise what their libraries raise
            if is_permanent(error):
                raise RemoteError(f"cannot {what}: {reason(error)}") from None
            if number == ATTEMPTS - 1:
                kind = CorruptError if type(error).__name__ in DAMAGE_NAMES else RemoteError
                raise kind(f"cannot {what}, after {ATTEMPTS} attempts: {reason(error)}") from None
        time.sleep(min(LONGEST, FIRST * 2**number) * _JITTER.uniform(0.5, 1))
    raise AssertionError("unreachable")


def read_sidecar(url: str) -> list[Digest] | None:
    """Return the digests that an object may have; none if they cannot be understood; None if there are none.

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
            raise OSError("what arrived is not what was sent")

    attempt(f"write {url + SIDECAR}", write)


def upload_verified(local: Path, url: str) -> Digest:
    """Upload a file, read it back and compare; readers see the old object or the new one, each whole.

    Args:
        local: The file; it must not change meanwhile.
        url: Where it goes, the object itself.

    Returns:
        Its digest, which ``url.sha256`` holds from now on.

    Raises:
        RemoteError: If it did not arrive whole after a bounded number of attempts.
    """
    store, path = open_store(url)
    wanted = digest_of(local)
    before = [digest for digest in read_sidecar(url) or [] if digest != wanted]
    write_sidecar(url, [wanted, *before])

    def upload() -> None:
        _whole(store, path, url, lambda name: store.put_file(str(local), name))
        if _stored(store, path, wanted.size) != wanted:
            raise OSError("what arrived is not what was sent")

    attempt(f"upload {url}", upload)
    if before:
        write_sidecar(url, [wanted])
    return wanted


def fetch_verified(url: str, local: Path, accepted: Sequence[Digest] | None = None) -> Digest:
    """Download an object to a partial file, check it, and give it its name when it is whole and on disk.

    Args:
        url: The object.
        local: Where it goes; what is there is replaced.
        accepted: Digests that it may have; None reads them from ``url.sha256``.

    Returns:
        The digest that was found.

    Raises:
        CorruptError: If the object, read twice, has none of these digests.
        RemoteError: If it is missing, has no ``.sha256`` beside it, or cannot be read.
    """
    if accepted is None:
        accepted = read_sidecar(url)
        if accepted is None:
            raise RemoteError(f"{url} cannot be checked: there is no {url + SIDECAR}")
    return _fetch(url, local, lambda found: found in accepted)


def fetch_unverified(url: str, local: Path) -> Digest:
    """Download an object that has no checksum of its own; only its length is checked.

    Raises:
        RemoteError: If it is missing or cannot be read.
    """
    size = describe(url)["size"]
    return _fetch(url, local, lambda found: size is None or found.size == size)


def describe(url: str) -> dict[str, Any]:
    """Return what the store says of an object: its size, and date or tag.

    Raises:
        RemoteError: If it is missing or cannot be read.
    """
    store, path = open_store(url)
    found = attempt(f"read {url}", lambda: store.info(path))
    if found["type"] != "file":
        raise RemoteError(f"{url} is a folder; give a file")
    return dict(found)


def names_below(url: str) -> list[str]:
    """Return the names of all objects below a folder, relative to it; none if it is not there.

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
    found = [name.lstrip("/") for name in attempt(f"list {url}", find)]
    return sorted(name.removeprefix(root) for name in found if name.startswith(root))


def copy_within(source: str, target: str) -> None:
    """Copy an object inside its store, with the digests it may have.

    Raises:
        RemoteError: If the store cannot do it.
    """
    store, path = open_store(source)
    _, to = open_store(target)
    digests = read_sidecar(source) or []
    write_sidecar(target, [*digests, *(digest for digest in read_sidecar(target) or [] if digest not in digests)])
    attempt(f"copy {source} to {target}", lambda: _whole(store, to, target, lambda name: store.cp_file(path, name)))


def _whole(store: AbstractFileSystem, path: str, url: str, write: Callable[[str], Any]) -> None:
    """Write an object under its name, or where the store shows unfinished ones under another first."""
    if url.partition("://")[0] in WHOLE:
        write(path)
        return
    folder, _, name = path.rpartition("/")
    store.makedirs(folder, exist_ok=True)
    partial = f"{folder}/.{name}.{os.getpid()}.partial"
    write(partial)
    store.mv(partial, path)


def _stored(store: AbstractFileSystem, path: str, size: int) -> Digest:
    """Read an object back, a large one in parts."""
    if size <= PART:
        raw = store.cat_file(path)
        return Digest(hashlib.sha256(raw).hexdigest(), len(raw))
    size, hashed = int(store.info(path)["size"]), hashlib.sha256()
    for start in range(0, size, PART):
        hashed.update(store.cat_file(path, start=start, end=min(start + PART, size)))
    return Digest(hashed.hexdigest(), size)


def _fetch(url: str, local: Path, right: Callable[[Digest], bool]) -> Digest:
    store, path = open_store(url)
    local.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(local) as partial:
        wrong = 0

        def download() -> Digest:
            nonlocal wrong
            store.get_file(path, str(partial))
            found = digest_of(partial)
            if not right(found):
                wrong += 1
                if wrong == 2:
                    raise CorruptError(f"{url} is corrupt: its {found.size} bytes are not those that were written")
                raise OSError("what arrived is not what was sent")
            return found

        return attempt(f"download {url}", download)
