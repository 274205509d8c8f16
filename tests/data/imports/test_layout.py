"""Folders are splits, classes, cameras or nothing, and what they are taken for is said."""

import pytest

from trajvq.data.imports.layout import read_layout


def meanings(*paths: str) -> list[tuple[str | None, str | None]]:
    return [(m.split, m.label) for m in read_layout([tuple(path.split("/")) for path in paths])[0]]


def notes(*paths: str) -> str:
    return "; ".join(read_layout([tuple(path.split("/")) for path in paths])[1])


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a/0", "b/0"], [(None, "a"), (None, "b")]),
        (["0", "1"], [(None, None), (None, None)]),
        (["train/a/0", "Test/b/0"], [("train", "a"), ("test", "b")]),
        (["train_set/a/0", "Dev/a/0", "test-videos/b/0"], [("train", "a"), ("val", "a"), ("test", "b")]),
        (["a/train/0", "b/validation/0"], [("train", "a"), ("val", "b")]),
        (["set/videos/train/0", "set/videos/test/0"], [("train", None), ("test", None)]),
        (["data/a/first/0", "data/b/second/0"], [(None, "a"), (None, "b")]),
        (["train2017/a/0", "val2017/a/0"], [("train", "a"), ("val", "a")]),
        (["video_train/a/0", "video_validation/b/0"], [("train", "a"), ("val", "b")]),
        (["a/01_train/0", "b/03_test/0"], [("train", "a"), ("test", "b")]),
        (["train_part1/0", "train_part2/0", "test_part1/0"], [("train", None), ("train", None), ("test", None)]),
        (["tr/a/0", "va/a/0", "te/a/0"], [("train", "a"), ("val", "a"), ("test", "a")]),
        (["train/train/0", "test1/walk/0"], [("train", "train"), ("test", "walk")]),
        (["train_ride/0", "walk/0", "tr/0"], [(None, "train_ride"), (None, "walk"), (None, "tr")]),
        (["train_ride/train/0", "test_drive/test/0"], [("train", "train_ride"), ("test", "test_drive")]),
        (["test/a/0", "test/b/0"], [("test", "a"), ("test", "b")]),
        (["a/videos/chunk-000/observation.images.top/e", "b/videos/chunk-000/observation.images.top/e"], None),
    ],
)
def test_splits_and_classes_are_found_at_any_depth(
    paths: list[str], expected: list[tuple[str | None, str | None]] | None
) -> None:
    assert meanings(*paths) == (expected or [(None, "a"), (None, "b")])


@pytest.mark.parametrize(
    "paths",
    [
        [
            "videos/chunk-000/observation.images.top/episode_000000",
            "videos/chunk-000/observation.images.top/episode_000001",
        ],
        ["videos/chunk-000/observation.image/episode_000000", "videos/chunk-001/observation.image/episode_000001"],
        ["videos/observation.images.top/chunk-000/file-000", "videos/observation.images.top/chunk-001/file-000"],
    ],
)
def test_folders_of_lerobot_are_no_classes(paths: list[str]) -> None:
    assert meanings(*paths) == [(None, None)] * 2
    assert "(LeRobot's layout) not taken as classes" in notes(*paths)


def test_what_several_cameras_recorded_is_a_group() -> None:
    paths = [
        ("chunk-000", f"observation.images.{camera}", f"episode_{k}") for k in (0, 1) for camera in ("top", "wrist")
    ]
    layout, said = read_layout(paths)
    assert len({meaning.group for meaning in layout}) == 2
    assert layout[0].group == layout[1].group
    assert "2 cameras" in said[1]
    assert {meaning.group for meaning in read_layout(paths[::2])[0]} == {None}


def test_folders_that_are_neither_split_nor_class_are_named() -> None:
    assert notes("data/raw/a/one/0", "data/raw/b/two/0") == (
        "folder data/raw holds every video, so it is no class; "
        "folders below those of classes not taken as classes: one, two"
    )
    assert notes("train/a/0", "test/b/0") == ""
