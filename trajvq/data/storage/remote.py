"""Local copies of remote datasets: fetched once, checked against their manifest, and kept for the next run."""

import re
from pathlib import Path

from trajvq.data.storage.shards import MANIFEST, DataError, Manifest, read_manifest
from trajvq.io.cache import cache_folder, url_key
from trajvq.io.locks import locked
from trajvq.io.remote import Digest, digest_of, fetch_unverified, fetch_verified
from trajvq.io.urls import check_url


def fetch_dataset(url: str | Path) -> Path:
    """Return a local folder with the dataset of a URL: its manifest, and the shards checked against it.

    Shards that are there and right are not fetched again, and processes that ask at the same time wait for the
    first. The manifest is written last, so a folder that has one is whole.

    Raises:
        UserError: If the dataset is missing, damaged or out of reach.
    """
    url = check_url(url)
    root = cache_folder() / "datasets" / url_key(url)
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
