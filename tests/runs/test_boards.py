"""Every dataset that a run is scored on has a folder of its own."""

import json
from pathlib import Path

import pytest

from trajvq.runs.boards import board_folder


@pytest.mark.parametrize("path", ["datasets/mine", "datasets/mine/", "s3://bucket/sets/mine"])
def test_a_folder_is_named_after_its_dataset(tmp_path: Path, path: str) -> None:
    assert board_folder(tmp_path, {"path": path, "sha256": "a" * 64}) == "mine"


def test_another_dataset_of_the_same_name_does_not_share_the_folder(tmp_path: Path) -> None:
    first, second = ({"path": "datasets/mine", "sha256": letter * 64} for letter in "ab")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/test.json").write_text(json.dumps({"dataset": first}))
    assert board_folder(tmp_path, first) == "mine"
    assert board_folder(tmp_path, second) == "mine-bbbbbbbb"
