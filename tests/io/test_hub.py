"""Names on the Hugging Face Hub become local folders, by a stand-in for huggingface_hub; mistakes are one line."""

import sys
from pathlib import Path

import pytest

from tests.stores import use_hub
from trajvq.errors import UserError
from trajvq.io.hub import hub_folder, is_hub
from trajvq.tokens import load_tokenizer


def test_a_name_may_have_a_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = use_hub(monkeypatch, {"me/dots-2.0": tmp_path})
    for source in ("hf://me/dots-2.0", "hf://me/dots-2.0@v1", Path("hf://me/dots-2.0@refs/pr/1"), "hf://me/dots-2.0/"):
        assert is_hub(source)
        assert hub_folder(source, ["config.json"]) == tmp_path
    assert [call[1] for call in calls] == [None, "v1", "refs/pr/1", None]
    assert not any(is_hub(source) for source in ("me/dots", "default", "s3://me/dots", Path("hf/me")))


@pytest.mark.parametrize(
    "source", ["hf://dots", "hf://me/dots/config.json", "hf://me/", "hf://me/do ts", "hf://me/dots@"]
)
def test_other_names_are_refused(source: str) -> None:
    with pytest.raises(UserError, match=r"names no model repository; write hf://OWNER/NAME"):
        load_tokenizer(source)


def test_a_failed_download_and_a_missing_package_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    use_hub(monkeypatch, {})
    with pytest.raises(UserError, match=r"^cannot download hf://me/none: 404 Client Error\.$"):
        load_tokenizer("hf://me/none")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"needs huggingface_hub; install it with `pip install 'trajvq\[hub\]'`"):
        load_tokenizer("hf://me/none")
