"""What the folders above a video stand for: a split, a class, a camera, or nothing."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SPLIT_NAMES = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("val", "valid", "validate", "validation", "dev"), "val"
)
SPLIT_ENDING = re.compile(r"[-_ ]?(set|split|data|videos|clips|frames)$")  # as in train_set
CAMERA = re.compile(r"observation\..*")  # a folder of LeRobot's layout, as are those of the next pattern
NO_CLASS = re.compile(rf"chunk-\d+|episode_\d+|{CAMERA.pattern}")
Parts = tuple[str, ...]


def split_named(folder: str) -> str | None:
    """Return the split that a folder's name stands for, or None."""
    name = folder.lower()
    return SPLIT_NAMES.get(name) or SPLIT_NAMES.get(SPLIT_ENDING.sub("", name))


@dataclass(frozen=True)
class Meaning:
    """What the folders above a video stand for.

    Attributes:
        split: The split, or None.
        label: The class, or None.
        group: What was recorded, where several cameras recorded the same; otherwise None.
    """

    split: str | None
    label: str | None
    group: str | None


def read_layout(videos: Sequence[Parts]) -> tuple[list[Meaning], list[str]]:
    """Return what the folders of videos stand for, and what was assumed, one line each.

    Folders that hold every video stand for nothing, unless they are a split. Of the others, the first with the name of
    a split is the split, and the first of the rest is the class.

    Args:
        videos: For each video its folders from the top down, and the name of its file without the ending.
    """
    shared = _shared([parts[:-1] for parts in videos])
    below = [parts[len(shared) :] for parts in videos]
    cameras = {part for parts in below for part in parts[:-1] if CAMERA.fullmatch(part)}
    meanings = [_meaning(parts, len(cameras) > 1) for parts in below]
    return meanings, list(_notes(meanings, below, shared, cameras))


def _shared(folders: Sequence[Parts]) -> Parts:
    """Return the folders that all videos have in common, up to the first split."""
    shared: list[str] = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1 or split_named(parts[0]):
            break
        shared.append(parts[0])
    return tuple(shared)


def _meaning(parts: Parts, cameras: bool) -> Meaning:
    folders = list(parts[:-1])
    split = next((folder for folder in folders if split_named(folder)), None)
    if split is not None:
        folders.remove(split)
    label = folders[0] if folders and not NO_CLASS.fullmatch(folders[0]) else None
    recording = [part for part in parts if not CAMERA.fullmatch(part)]
    group = "/".join(recording) if cameras and len(recording) < len(parts) else None
    return Meaning(split and split_named(split), label, group)


def _notes(meanings: Sequence[Meaning], below: Sequence[Parts], shared: Parts, cameras: set[str]) -> Iterator[str]:
    folders = {part for parts in below for part in parts[:-1]} | set(shared)
    if any(NO_CLASS.fullmatch(folder) for folder in folders):
        yield "folders of chunks, episodes and cameras (LeRobot's layout) not taken as classes"
    elif shared:
        yield f"folder {'/'.join(shared)} holds every video, so it is no class"
    if len(cameras) > 1:
        yield f"{len(cameras)} cameras: what several of them recorded stays together"
    deeper = {
        folder
        for meaning, parts in zip(meanings, below, strict=True)
        for folder in parts[:-1]
        if meaning.label not in (None, folder) and not NO_CLASS.fullmatch(folder)
        if not split_named(folder)
    }
    if deeper:
        named = ", ".join(sorted(deeper)[:3]) + (", ..." if len(deeper) > 3 else "")
        yield f"folders below those of classes not taken as classes: {named}"
