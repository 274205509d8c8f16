"""What the folders above a video stand for: a split, a class, a camera, or nothing."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from trajvq.data.imports.plurals import listed

SPLIT_NAMES = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("val", "valid", "validate", "validation", "dev"), "val"
)
SPLIT_WORDS = SPLIT_NAMES | {"tr": "train", "va": "val", "te": "test"}  # which tell a split only beside another one
SPLIT_ENDING = re.compile(r"[-_ ]?(set|split|data|videos|clips|frames)$")  # as in train_set
CAMERA = re.compile(r"observation\..*")  # a folder of LeRobot's layout, as are those of the next pattern
NO_CLASS = re.compile(rf"chunk-\d+|episode_\d+|{CAMERA.pattern}")
Parts = tuple[str, ...]


def split_named(folder: str) -> str | None:
    """Return the split that a folder's name stands for, or None."""
    name = folder.lower()
    return SPLIT_NAMES.get(name) or SPLIT_NAMES.get(SPLIT_ENDING.sub("", name))


def _split_in(folder: str) -> str | None:
    """Return the split that one word of a folder's name stands for, as in ``train2017`` or ``video_test``, or None."""
    words = [SPLIT_ENDING.sub("", word) for word in re.findall(r"[a-z]+", folder.lower())]
    splits = [split for word in words if (split := SPLIT_WORDS.get(word))]
    return splits[0] if len(splits) == 1 else None


def _splits(videos: Sequence[Parts]) -> dict[str, str]:
    """Return the split of each folder that stands for one.

    A name that is not that of a split but has a word for one may be a class, such as ``train_ride``. It stands for the
    split if folders beside it, at the same depth, stand for another one.
    """
    splits = {folder: split for parts in videos for folder in parts[:-1] if (split := split_named(folder))}
    for folders in zip_longest(*(parts[:-1] for parts in videos), fillvalue=""):
        loose = {folder: split for folder in folders if (split := _split_in(folder))}
        if len(set(loose.values())) > 1:
            splits = loose | splits
    return splits


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
    splits = _splits(below)
    meanings = [_meaning(parts, splits, len(cameras) > 1) for parts in below]
    return meanings, list(_notes(meanings, below, shared, splits, cameras))


def _shared(folders: Sequence[Parts]) -> Parts:
    """Return the folders that all videos have in common, up to the first split."""
    shared: list[str] = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1 or split_named(parts[0]):
            break
        shared.append(parts[0])
    return tuple(shared)


def _meaning(parts: Parts, splits: Mapping[str, str], cameras: bool) -> Meaning:
    folders = list(parts[:-1])
    named = [folder for folder in folders if folder in splits]
    split = min(named, key=lambda folder: split_named(folder) is None, default=None)  # the first one with a plain name
    if split is not None:
        folders.remove(split)
    label = folders[0] if folders and not NO_CLASS.fullmatch(folders[0]) else None
    recording = [part for part in parts if not CAMERA.fullmatch(part)]
    group = "/".join(recording) if cameras and len(recording) < len(parts) else None
    return Meaning(split and splits[split], label, group)


def _notes(
    meanings: Sequence[Meaning], below: Sequence[Parts], shared: Parts, splits: Mapping[str, str], cameras: set[str]
) -> Iterator[str]:
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
        if folder not in splits
    }
    if deeper:
        yield f"folders below those of classes not taken as classes: {listed(sorted(deeper), 3)}"
