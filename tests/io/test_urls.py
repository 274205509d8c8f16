"""URLs with a secret or of another place are refused in one line, which does not repeat the secret."""

from pathlib import Path

import pytest

from trajvq.errors import UserError
from trajvq.io.remote import open_store
from trajvq.io.retries import RemoteError
from trajvq.io.urls import check_url, is_remote, reason, refuse_credentials

SECRETS = [
    "s3://AKIDKEY:Sec/ret+pw9@bucket/runs",
    "s3://AKIDKEY@bucket/runs",
    "s3:/user:hunter22@bucket",
    "memory://u:p/w:@x@y/z",
    "s3://bucket/a.ckpt?X-Amz-Credential=AKIDKEY&X-Amz-Signature=beef1234",
    "https://user:hunter22@host/x",
    "abfs://user:hunter22@account/x",
]


@pytest.mark.parametrize("url", SECRETS)
@pytest.mark.parametrize("form", ["{}", "--mirror.url={}", "{{'path': '{}'}}"])
def test_secrets_in_urls_are_refused_and_not_repeated(url: str, form: str) -> None:
    with pytest.raises(UserError) as caught:
        refuse_credentials(form.format(url))
    said = str(caught.value)
    assert not any(part in said for part in ("AKIDKEY", "hunter22", "ret+pw9", "beef1234", "p/w"))
    with pytest.raises(UserError):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "s3://",
        "s3://bucket/../other",
        "s3://bucket//x",
        "s3://a b/c",
        "s3://b/x?y",
        "a::s3://b/c",
        "s3://b/*",
    ],
)
def test_urls_of_other_places_are_refused(url: str) -> None:
    with pytest.raises(UserError):
        check_url(url)


def test_plain_urls_and_paths_are_distinguished() -> None:
    assert check_url("s3://bucket/a/b/") == check_url(Path("s3://bucket/a/b")) == "s3://bucket/a/b"
    assert check_url("file:/tmp/x") == "file:///tmp/x"
    assert check_url("abfs://container@account/x") == "abfs://container@account/x"
    for url in ("s3://b/x", Path("s3://b/x"), "memory://x"):
        assert is_remote(url)
    for path in ("runs/recon/latest", "/tmp/a:b", "C:/data", Path("a@b"), "a:b/c"):
        assert not is_remote(path)
    refuse_credentials("--data.path=datasets/a@b --mirror.url=s3://bucket/user@host")


def test_messages_hold_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "tok3n-of-mine")
    said = reason(OSError("no answer from https://u:pw@host/x?X-Amz-Signature=beef with tok3n-of-mine\nmore"))
    assert said == "no answer from https://***@host/x?X-Amz-Signature=*** with ***"
    assert reason(TimeoutError()) == "TimeoutError"


def test_a_store_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> None:
        raise ImportError("Install gcsfs to access Google Storage")

    monkeypatch.setattr("fsspec.core.url_to_fs", absent)
    with pytest.raises(RemoteError, match="Install gcsfs"):
        open_store("gs://bucket/x")
