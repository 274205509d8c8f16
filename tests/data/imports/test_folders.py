"""A folder's videos get the split and the class that their folders name, and nothing else counts as a video."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.data.imports.sources import movie, write_movie
from trajvq.cli import main
from trajvq.data.imports.folders import read_folder
from trajvq.data.imports.videos import import_videos
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
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
    assert source.files.total == 6
    assert +source.files.left_out == {".txt": 1, "hidden": 1, "hidden folders": 2}
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


def test_what_is_not_imported_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for k in range(4):
        write_movie(tmp_path / "set" / "a" / f"{k}.mp4", movie(k, 16))
        write_movie(tmp_path / "set" / "b" / f"{k}.mp4", movie(k, 8 if k else 16))
    for name in ("a/Thumbs.db", "a/.DS_Store", "c/0.mxf", "c/1.mxf"):
        (tmp_path / "set" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"x")
    (tmp_path / "set" / "d").write_text("../elsewhere")
    write_movie(tmp_path / "elsewhere" / "0.mp4", movie(0))
    arguments = ["data", "import-videos", str(tmp_path / "set"), "--out", str(tmp_path / "out")]
    assert main([*arguments]) == 0
    said = capsys.readouterr().out
    assert "13 files found, 8 taken; left out: 1 hidden, 1 without ending, 1 .db, 2 .mxf" in said
    assert "8 videos found, 5 taken; left out: 3 with fewer than 16 frames" in said
    assert "folders without a video: c" in said
    assert "d is a text file with the path ../elsewhere, a lost link" in said
    manifest = read_manifest(tmp_path / "out")
    assert manifest.ledger["counts"]["files"]["left_out"][".mxf"] == 2
    assert str(tmp_path) not in str(manifest.ledger)


def test_a_class_of_which_no_video_is_left_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for k in range(4):
        write_movie(tmp_path / "a" / f"{k}.mp4", movie(k, 16))
        write_movie(tmp_path / "b" / f"{k}.mp4", movie(k, 8))
    assert import_videos(tmp_path, tmp_path / "out").classes == ["a"]
    assert "no video left of class b" in capsys.readouterr().out


def test_views_of_several_cameras_stay_in_one_split(tmp_path: Path) -> None:
    for k in range(8):
        for number, camera in enumerate(("top", "wrist", "side")):
            name = f"videos/chunk-000/observation.images.{camera}/episode_{k:06d}.mp4"
            write_movie(tmp_path / "set" / name, movie(k, 16)[:, :: -1 if number else 1, :: 1 - 2 * (number // 2)])
    import_videos(tmp_path / "set", tmp_path / "out")
    splits = [
        {
            round((float(np.median(clip)) - 40) / 8)
            for clip in Clips(tmp_path / "out", split).batch(list(range(n)))["video"]
        }
        for split in ("train", "val", "test")
        for n in [read_manifest(tmp_path / "out").clips(split)]
    ]
    assert sum(map(len, splits)) == len(set().union(*splits)) == 8


@pytest.mark.parametrize("files", [[], ["a/0.png", "a/1.png"], ["a.npy", ".b.mp4"]])
def test_a_folder_without_videos_says_what_it_holds(tmp_path: Path, files: list[str]) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    holds = {0: "nothing", 1: "2 .png", 2: "1 hidden, 1 .npy"}[
        len({Path(name).suffix for name in files}) if files else 0
    ]
    with pytest.raises(DataError, match=f"holds no video file, but {holds}; known: .mp4"):
        read_folder(tmp_path)
