"""Uploads come back the same or not at all, even from stores that fail. Readers never see a part of an object."""

import itertools
import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults import FaultyProxy
from tests.stores import CREDENTIALS, impatient, memory, s3, s3_server, through
from trajvq.io import remote, retries
from trajvq.io.remote import copy_within, digest_of, fetch_verified, names_below, read_sidecar, upload_verified
from trajvq.io.retries import CorruptError, RemoteError

__all__ = ["impatient", "memory", "s3", "s3_server"]


def written(path: Path, size: int = 20_000, seed: int = 0) -> Path:
    path.write_bytes(random.Random(seed).randbytes(size))
    return path


@pytest.fixture(params=["s3", "memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"file://{tmp_path}/store" if request.param == "file" else str(request.getfixturevalue(request.param))


def test_every_store_returns_what_was_uploaded(url: str, tmp_path: Path) -> None:
    for seed, size in enumerate((20_000, 0, 7)):
        target = f"{url}/a/b/one.ckpt"
        digest = upload_verified(written(tmp_path / "one", size, seed), target)
        assert read_sidecar(target) == [digest] == [digest_of(tmp_path / "one")]
        assert fetch_verified(target, tmp_path / "back/two") == digest
        assert (tmp_path / "back/two").read_bytes() == (tmp_path / "one").read_bytes()
    assert names_below(f"{url}/a") == ["b/one.ckpt", "b/one.ckpt.sha256"]
    assert names_below(f"{url}/nowhere") == []
    copy_within(target, f"{url}/a/b/three.ckpt")
    assert fetch_verified(f"{url}/a/b/three.ckpt", tmp_path / "back/three") == digest
    assert [path.name for path in sorted((tmp_path / "back").iterdir())] == ["three", "two"]


def test_large_files_are_uploaded_and_read_back_in_parts(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs.core

    monkeypatch.setattr(remote, "PART", 2**20)
    monkeypatch.setattr(s3fs.core, "calculate_chunksize", lambda size, **_: 5 * 2**20)
    digest = upload_verified(written(tmp_path / "large", 11 * 2**20), f"{s3}/large.ckpt")
    assert fetch_verified(f"{s3}/large.ckpt", tmp_path / "back") == digest


def test_nothing_is_lost_or_corrupt_when_a_third_of_the_requests_fail(
    s3: str, s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "ATTEMPTS", 30)
    with FaultyProxy(s3_server, rate=0.33, seed=3) as proxy:
        through(monkeypatch, proxy.url)
        for number in range(5):
            upload_verified(written(tmp_path / "one", 50_001, number), f"{s3}/x/{number}.ckpt")
        for number in range(5):
            fetch_verified(f"{s3}/x/{number}.ckpt", tmp_path / f"back-{number}")
        assert {"500", "503", "drop", "cut", "slow"} <= proxy.counts.keys()
    through(monkeypatch, f"http://{s3_server}")
    for number in range(5):
        assert (tmp_path / f"back-{number}").read_bytes() == written(tmp_path / "one", 50_001, number).read_bytes()
        assert fetch_verified(f"{s3}/x/{number}.ckpt", tmp_path / "again") == digest_of(tmp_path / "one")


def test_an_unreachable_store_is_one_line_without_credentials(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "ATTEMPTS", 2)
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    with FaultyProxy("127.0.0.1:1", rate=0.0) as proxy:
        gone = proxy.url
    through(monkeypatch, gone)
    with pytest.raises(RemoteError) as caught:
        upload_verified(written(tmp_path / "one"), f"{s3}/one.ckpt")
    said = str(caught.value)
    assert said.startswith(f"cannot read {s3}/one.ckpt.sha256, after 2 attempts: ")
    assert "\n" not in said
    assert not any(secret in said for secret in CREDENTIALS.values())


@pytest.mark.parametrize("missing", ["bucket", "object"])
def test_permanent_errors_are_not_retried(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    wanted = f"{s3}/none.ckpt" if missing == "object" else "s3://no-such-bucket/none.ckpt"
    digest = digest_of(written(tmp_path / "one"))
    monkeypatch.setattr(retries, "FIRST", 1e9)  # a retry would wait forever
    with pytest.raises(RemoteError, match=f"cannot download {wanted}: "):
        fetch_verified(wanted, tmp_path / "back", [digest])
    assert not (tmp_path / "back").exists()
    if missing == "bucket":
        with pytest.raises(RemoteError, match=f"cannot write {wanted}"):
            upload_verified(tmp_path / "one", wanted)


Break = Callable[[Any, str], None]


def breaking(monkeypatch: pytest.MonkeyPatch, method: str, after: Break, times: int = 1) -> list[str]:
    """Call a function after a method of the memory store, for a number of times."""
    kind = type(fsspec.filesystem("memory"))
    real = getattr(kind, method)
    calls: list[str] = []

    def broken(self: Any, *names: str, **options: Any) -> Any:
        done = real(self, *names, **options)
        if len(calls) < times:
            calls.append(names[-1])
            after(self, names[-1])
        return done

    monkeypatch.setattr(kind, method, broken)
    return calls


def flip(store: Any, path: str) -> None:
    raw = bytearray(store.cat_file(path))
    raw[len(raw) // 2] ^= 1
    store.pipe_file(path, bytes(raw))


def test_a_damaged_upload_is_repeated(memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = breaking(monkeypatch, "mv", flip, times=5)  # the digests too
    upload_verified(written(tmp_path / "one"), f"{memory}/one.ckpt")
    assert len(calls) == 5
    fetch_verified(f"{memory}/one.ckpt", tmp_path / "back")
    breaking(monkeypatch, "mv", flip, times=99)
    with pytest.raises(RemoteError, match="the received data differ"):
        upload_verified(written(tmp_path / "one", seed=1), f"{memory}/one.ckpt")


def test_damage_in_the_store_is_noticed_and_keeps_the_local_file(memory: str, tmp_path: Path) -> None:
    upload_verified(written(tmp_path / "one"), f"{memory}/one.ckpt")
    flip(fsspec.filesystem("memory"), "/bucket/one.ckpt")
    (tmp_path / "back").write_text("what was there")
    with pytest.raises(CorruptError, match=r"memory://bucket/one.ckpt is corrupt"):
        fetch_verified(f"{memory}/one.ckpt", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "one"]
    fsspec.filesystem("memory").rm("/bucket/one.ckpt.sha256")
    with pytest.raises(RemoteError, match="cannot be verified"):
        fetch_verified(f"{memory}/one.ckpt", tmp_path / "back")


def test_an_object_matches_its_digests_wherever_an_upload_dies(memory: str, tmp_path: Path) -> None:
    """Stop the upload of a second version at each call to the store. The store holds one of the two, complete."""

    class Died(BaseException):
        pass

    store = fsspec.filesystem("memory")
    kind, target = type(store), f"{memory}/one.ckpt"
    versions = [written(tmp_path / name, 3000, seed) for seed, name in enumerate(("first", "second"))]
    for moment in range(100):
        upload_verified(versions[0], target)
        calls = itertools.count()

        def dying(real: Any, *arguments: Any, calls: Any = calls, moment: int = moment, **options: Any) -> Any:
            if next(calls) >= moment:
                raise Died
            return real(*arguments, **options)

        with pytest.MonkeyPatch.context() as patch:
            for name in ("pipe_file", "put_file", "mv", "cat_file"):
                patch.setattr(kind, name, _with(dying, getattr(kind, name)))
            with suppress(Died):  # the upload is interrupted at this moment
                upload_verified(versions[1], target)
                break
        assert fetch_verified(target, tmp_path / "back") in [digest_of(version) for version in versions]
    assert moment >= 6
    assert read_sidecar(target) == [digest_of(versions[1])]


def _with(dying: Any, real: Any) -> Any:
    return lambda self, *arguments, **options: dying(real, self, *arguments, **options)


def test_a_retry_uses_no_random_numbers_of_the_run(
    s3: str, s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyProxy(s3_server, rate=0.5, seed=1) as proxy:
        through(monkeypatch, proxy.url)
        monkeypatch.setattr(retries, "ATTEMPTS", 40)
        random.seed(5)
        before = random.getstate()
        upload_verified(written(tmp_path / "one"), f"{s3}/one.ckpt")
        assert random.getstate() == before
        assert proxy.counts["500"] + proxy.counts["503"]


@given(st.binary(max_size=200))
def test_a_damaged_sidecar_accepts_nothing(raw: bytes) -> None:
    store = fsspec.filesystem("memory")
    store.pipe_file("/fuzz/one.ckpt.sha256", raw)
    assert read_sidecar("memory://fuzz/one.ckpt") == []
    store.pipe_file("/fuzz/one.ckpt.sha256", json.dumps({"accepted": [{"sha256": "a", "size": 1}]}).encode())
    assert read_sidecar("memory://fuzz/one.ckpt") is not None
