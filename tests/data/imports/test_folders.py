"""A folder's videos get the split and the class that their folders name, and nothing else counts as a video."""

import os
from pathlib import Path

import pytest

from tests.data.imports.sources import movie, write_movie
from trajvq.data.imports.folders import read_folder
from trajvq.data.imports.videos import import_videos
from trajvq.errors import DataError


def test_folders_of_splits_are_no_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = {"train/walk": 3, "train/run": 3, "Validation/walk": 1, "Validation/run": 1, "test/walk": 2, "test/run": 2}
    for folder, count in counts.items():
        for k in range(count):
            write_movie(tmp_path / "set" / folder / f"{k}.mp4", movie(k, 16))
    manifest = import_videos(tmp_path / "set", tmp_path / "out")
    assert manifest.classes == ["run", "walk"]
    assert {split: manifest.clips(split) for split in manifest.splits} == {"train": 6, "val": 2, "test": 4}
    assert "folders taken as splits" in capsys.readouterr().out


def test_splits_may_hold_videos_without_a_class(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        write_movie(tmp_path / split / "0.mp4", movie(0))
    assert [(video.split, video.label) for video in read_folder(tmp_path).videos] == [
        ("test", None),
        ("train", None),
        ("val", None),
    ]
    write_movie(tmp_path / "other" / "0.mp4", movie(0))
    with pytest.raises(DataError, match="1 video outside the folders of its splits"):
        read_folder(tmp_path)


def test_links_are_followed_and_hidden_names_are_not(tmp_path: Path) -> None:
    write_movie(tmp_path / "elsewhere" / "0.mp4", movie(0))
    for name in ("a/0.mp4", "a/._0.mp4", ".ipynb_checkpoints/0.mp4", "__MACOSX/a/0.mp4"):
        write_movie(tmp_path / "set" / name, movie(0))
    (tmp_path / "set" / "a" / "notes.txt").touch()
    os.symlink(tmp_path / "elsewhere", tmp_path / "set" / "b")
    os.symlink(tmp_path / "set", tmp_path / "set" / "a" / "again")
    source = read_folder(tmp_path / "set")
    assert [video.label for video in source.videos] == ["a", "b"]
    assert source.files is not None
    assert source.files.found == 6
    assert +source.files.left_out == {".txt": 1, "hidden": 1, "hidden folder": 2}
    assert source.notes == (
        "linked folders followed: b",
        "linked folders left out, whose videos are here already: a/again (the same as .)",
    )


def test_folders_of_episodes_and_cameras_are_no_classes(tmp_path: Path) -> None:
    for chunk in range(2):
        name = f"videos/chunk-00{chunk}/observation.images.top/episode_00000{chunk}.mp4"
        write_movie(tmp_path / name, movie(0))
    source = read_folder(tmp_path)
    assert {video.label for video in source.videos} == {None}
    assert "not taken as classes" in source.notes[0]
