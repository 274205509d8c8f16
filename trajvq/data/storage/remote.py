"""Local copies of remote datasets: downloaded once, checked against their manifest, and kept for later runs."""

import re
from pathlib import Path

from trajvq.data.storage.manifest import MANIFEST, read_manifest
from trajvq.errors import DataError
from trajvq.io.cache import cache_folder, url_key
from trajvq.io.locks import locked
from trajvq.io.remote import Digest, digest_of, fetch_unverified, fetch_verified
from trajvq.io.urls import check_url


def fetch_dataset(url: str | Path) -> Path:
    """Download the dataset of a URL and return its local folder.

    Every shard is checked against the manifest. Shards that are already there are not downloaded again. Other
    processes wait for the first that downloads. The manifest is written last, so a folder with a manifest is complete.

    Raises:
        UserError: If the dataset is missing, damaged or cannot be downloaded.
    """
    url = check_url(url)
    root = cache_folder() / "datasets" / url_key(url)
    with locked(root, remedy="set TRAJVQ_CACHE"):
        fetch_unverified(f"{url}/{MANIFEST}", root / MANIFEST)
        manifest = read_manifest(root)
        folder = root / manifest.sha256[:16]
        complete = (folder / MANIFEST).is_file()
        shards = [entry for entries in manifest.splits.values() for entry in entries]
        missing = []
        for entry in shards:
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.h5", str(entry["file"])):
                raise DataError(
                    f"the manifest of {url} names a shard {str(entry['file'])[:80]!r}, which is not a valid file name"
                )
            if not _is_there(folder / entry["file"], Digest(entry["sha256"], entry["bytes"]), complete):
                missing.append(entry)
        if missing:
            megabytes = sum(entry["bytes"] for entry in missing) / 1e6
            print(
                f"fetching {len(missing)} of {len(shards)} shards, {megabytes:,.0f} MB, of {url} to {folder}",
                flush=True,
            )
        for entry in missing:
            digest = Digest(entry["sha256"], entry["bytes"])
            fetch_verified(f"{url}/{entry['file']}", folder / entry["file"], [digest])
        if not complete:
            folder.mkdir(parents=True, exist_ok=True)  # a dataset without shards has no folder yet
            manifest.write(folder)
    return folder


def _is_there(path: Path, digest: Digest, complete: bool) -> bool:
    """Return whether a shard is there. In a complete folder the shards were checked: the size is enough."""
    if not path.is_file() or path.stat().st_size != digest.size:
        return False
    return complete or digest_of(path) == digest
