"""Local copies are fetched once, by one process, and equal the files in the store."""

import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import fsspec
import h5py
import pytest

from tests.stores import impatient, memory, s3, s3_server
from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.data.storage import remote
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.storage.remote import fetch_dataset
from trajvq.errors import DataError, UserError
from trajvq.io import cache
from trajvq.io.cache import local_copy
from trajvq.io.remote import fetch_verified, upload_verified
from trajvq.io.retries import CorruptError

__all__ = ["impatient", "memory", "s3", "s3_server"]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that the names of downloaded files are appended to."""
    names: list[str] = []

    def counting(url: str, *arguments: Any) -> Any:
        names.append(url.rpartition("/")[2])
        return fetch_verified(url, *arguments)

    for module in (cache, remote):
        monkeypatch.setattr(module, "fetch_verified", counting)
    return names


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the downloaded files."""
    return counted(monkeypatch)


def put(folder: Path, url: str) -> None:
    store, path = fsspec.core.url_to_fs(url)
    for file in folder.iterdir():
        store.pipe_file(f"{path}/{file.name}", file.read_bytes())


def test_a_local_path_stays_and_a_url_is_fetched_once(memory: str, tmp_path: Path, fetched: list[str]) -> None:
    assert local_copy("runs/a.ckpt") == Path("runs/a.ckpt")
    (tmp_path / "one").write_text("first")
    upload_verified(tmp_path / "one", f"{memory}/a/best.ckpt")
    copy = local_copy(f"{memory}/a/best.ckpt")
    assert (copy.name, copy.read_text()) == ("best.ckpt", "first")
    assert local_copy(Path(f"{memory}/a/best.ckpt")) == copy  # `Path` removes a slash
    assert fetched == ["best.ckpt"]
    copy.write_text("damaged")
    assert local_copy(f"{memory}/a/best.ckpt").read_text() == "first"
    (tmp_path / "one").write_text("second")
    upload_verified(tmp_path / "one", f"{memory}/a/best.ckpt")
    assert local_copy(f"{memory}/a/best.ckpt").read_text() == "second"
    assert copy.read_text() == "first"  # a process that is reading it is not disturbed


@pytest.mark.parametrize("store", ["memory", "s3"])
def test_files_from_elsewhere_are_fetched_again_when_they_change(
    request: pytest.FixtureRequest, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = request.getfixturevalue(store) + "/theirs.ckpt"
    files, path = fsspec.core.url_to_fs(url)
    files.pipe_file(path, b"first")
    assert local_copy(url).read_bytes() == b"first"
    with monkeypatch.context() as patch:
        patch.setattr(cache, "fetch_unverified", lambda *_: pytest.fail("it is in the cache"))
        assert local_copy(url).read_bytes() == b"first"
    files.pipe_file(path, b"again")
    assert local_copy(url).read_bytes() == b"again"


@pytest.mark.parametrize("store", ["memory", "s3"])
def test_a_dataset_is_read_through_the_cache(
    request: pytest.FixtureRequest, store: str, dataset: Path, fetched: list[str]
) -> None:
    url = request.getfixturevalue(store) + "/sets/small"
    put(dataset, url)
    data = TrajectoryDataModule(url, batch_size=4)
    data.prepare_data()
    data.setup("fit")
    assert len(fetched) == 8
    for file in dataset.glob("*.h5"):
        assert (data.path / file.name).read_bytes() == file.read_bytes()
    assert read_manifest(data.path) == read_manifest(dataset)
    assert sum(len(batch["index"]) for batch in data.train_dataloader()) == 32

    other = TrajectoryDataModule(Path(url))  # another process of this machine, which does not prepare
    other.setup("fit")
    assert other.path == data.path
    assert len(fetched) == 8


def test_only_what_is_missing_or_damaged_is_fetched(memory: str, dataset: Path, fetched: list[str]) -> None:
    url = f"{memory}/small"
    put(dataset, url)
    folder = fetch_dataset(url)
    fetched.clear()
    (folder / "manifest.json").unlink()  # as after a kill
    (folder / "val-00000.h5").unlink()
    raw = bytearray((folder / "test-00000.h5").read_bytes())
    raw[len(raw) // 2] ^= 1
    (folder / "test-00000.h5").write_bytes(raw)
    assert fetch_dataset(url) == folder
    assert sorted(fetched) == ["test-00000.h5", "val-00000.h5"]
    fetched.clear()
    (folder / "val-00000.h5").write_bytes(b"cut")
    fetch_dataset(url)
    assert fetched == ["val-00000.h5"]


def test_damage_in_the_store_is_one_line(memory: str, dataset: Path) -> None:
    url, store = f"{memory}/small", fsspec.filesystem("memory")
    put(dataset, url)
    store.pipe_file("/bucket/small/val-00000.h5", b"x" * store.size("/bucket/small/val-00000.h5"))
    with pytest.raises(CorruptError, match="val-00000.h5 is corrupt"):
        fetch_dataset(url)
    store.pipe_file("/bucket/small/manifest.json", b"{}")
    with pytest.raises(DataError, match="lacks fields"):
        fetch_dataset(url)
    with pytest.raises(UserError, match="cannot read memory://bucket/none/manifest.json"):
        fetch_dataset(f"{memory}/none")


def test_a_manifest_cannot_name_files_outside_its_folder(memory: str, dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "evil")
    manifest = read_manifest(tmp_path / "evil")
    manifest.splits["val"][0]["file"] = "../../../../outside.h5"
    manifest.write(tmp_path / "evil")
    put(tmp_path / "evil", f"{memory}/evil")
    fsspec.filesystem("memory").pipe_file("/outside.h5", b"x")
    with pytest.raises(DataError, match="is not a valid file name"):
        fetch_dataset(f"{memory}/evil")
    assert not list(tmp_path.rglob("outside.h5"))


def fetch(url: str, results: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        names = counted(patch)
        with h5py.File(fetch_dataset(url) / "val-00000.h5") as file:
            results.put((len(names), len(file["video"])))


def test_processes_that_start_together_fetch_once(dataset: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/store/small"
    shutil.copytree(dataset, tmp_path / "store/small")
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=fetch, args=(url, results)) for _ in range(3)]
    for process in processes:
        process.start()
    counts = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(count for count, _ in counts) == [0, 0, 8]
    assert {clips for _, clips in counts} == {8}


def test_a_cache_that_cannot_be_written_is_one_line(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAJVQ_CACHE", "/proc/cache")
    with pytest.raises(UserError, match="set TRAJVQ_CACHE"):
        local_copy(f"{memory}/a.ckpt")
