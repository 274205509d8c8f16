"""Remote stores: moto's S3 server on the loopback interface, fsspec's store in memory, and a Hugging Face Hub."""

import itertools
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest

from trajvq.io import retries

_numbers = itertools.count()
Call = tuple[str, str | None, list[str]]  # repository, revision and files
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDNOBODYSHOULDSEE", "AWS_SECRET_ACCESS_KEY": "SecretNobodyShouldSee/+x"}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The host and port of a server that speaks the protocol of S3."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty bucket, with endpoint and credentials in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    through(monkeypatch, f"http://{s3_server}")
    name = f"bucket-{next(_numbers)}"
    with urllib.request.urlopen(urllib.request.Request(f"http://{s3_server}/{name}", method="PUT")):
        yield f"s3://{name}"


def through(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Set the endpoint of S3."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def memory() -> Iterator[str]:
    """The URL of an empty store in memory."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield "memory://bucket"
    store.store.clear()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Retry almost at once, and use a cache of the test's own."""
    monkeypatch.setattr(retries, "FIRST", 0.002)
    monkeypatch.setenv("TRAJVQ_CACHE", str(tmp_path / "cache"))


def use_hub(monkeypatch: pytest.MonkeyPatch, repositories: Mapping[str, Path]) -> list[Call]:
    """Let huggingface_hub be a stand-in that knows some repositories; returns the list of its calls."""
    calls: list[Call] = []

    def snapshot_download(repo_id: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        calls.append((repo_id, revision, allow_patterns))
        if repo_id not in repositories:
            raise OSError(f"404 Client Error.\n\nRepository Not Found for {repo_id}")
        return str(repositories[repo_id])

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    return calls
