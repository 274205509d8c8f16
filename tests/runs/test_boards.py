"""Every dataset that a run is scored on has a folder of its own."""

import json
from pathlib import Path

import pytest

from trajvq.io.urls import check_url
from trajvq.runs.boards import board_folder
from trajvq.runs.mirror import mirrored


@pytest.mark.parametrize("path", ["datasets/mine", "datasets/mine/", "s3://bucket/sets/mine"])
def test_a_folder_is_named_after_its_dataset(tmp_path: Path, path: str) -> None:
    assert board_folder(tmp_path, {"path": path, "sha256": "a" * 64}) == "mine"


@pytest.mark.parametrize("name", ["my data", "mine (1)", "a&b", "übung", ".mine", "-mine", "mine,2", "mine#2"])
def test_a_mirror_holds_the_scoreboards_of_a_dataset_of_any_name(tmp_path: Path, name: str) -> None:
    folder = f"scoreboards/{board_folder(tmp_path, {'path': f'datasets/{name}', 'sha256': 'a' * 64})}"
    check_url(f"s3://bucket/{folder}/test.json")
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "test.json").write_text("{}")
    assert mirrored(tmp_path) == [f"{folder}/test.json"]


def test_another_dataset_of_the_same_name_does_not_share_the_folder(tmp_path: Path) -> None:
    first, second = ({"path": "datasets/mine", "sha256": letter * 64} for letter in "ab")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/test.json").write_text(json.dumps({"dataset": first}))
    assert board_folder(tmp_path, first) == "mine"
    assert board_folder(tmp_path, second) == "mine-bbbbbbbb"
