"""Read a folder of videos: which files are videos, and which folders are splits, classes or neither."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from trajvq.data.imports.collection import Collection, Video
from trajvq.data.imports.levels import Levels
from trajvq.data.imports.plurals import counted
from trajvq.data.imports.tiff import TIFF_FILES, in_order, page_count, tiff_video
from trajvq.data.imports.video_files import VIDEO_FILES, video_file
from trajvq.errors import DataError

# Folder names, in lower case, that are splits.
SPLIT_FOLDERS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("val", "valid", "validation"), "val"
)
NO_CLASS = re.compile(r"chunk-\d+|episode_\d+|observation\..*")  # folders of LeRobot's layout
IGNORED = "__MACOSX"  # beside every name that begins with a dot
KNOWN = ", ".join((*VIDEO_FILES, *TIFF_FILES))


def read_folder(path: Path) -> Collection:
    """Return the videos of a folder.

    A folder named train, val or test (or training, valid, validation, testing) in it is a split. Any other folder in
    it, or in a split, is a class. A folder whose TIFF files have one page each is one video. Names that begin with a
    dot are ignored, links are followed.

    Raises:
        DataError: If there is no video, or only some are in a split.
    """
    levels = Levels()
    videos: list[Video] = []
    other: Counter[str] = Counter()  # endings of files that are no videos
    skipped = False  # whether a folder is no class
    for folder, names in _folders(path):
        parts = folder.relative_to(path).parts
        films = sorted(name for name in names if Path(name).suffix.lower() in VIDEO_FILES)
        stacks = in_order([folder / name for name in names if Path(name).suffix.lower() in TIFF_FILES])
        other.update(Path(name).suffix.lower() for name in set(names) - set(films) - {file.name for file in stacks})
        split, label = _meaning(parts)
        skipped |= bool(films or stacks) and any(NO_CLASS.fullmatch(part) for part in parts)
        videos += [video_file(folder / name, str(folder / name), levels, label, split) for name in films]
        if len(stacks) > 1 and all(page_count(file) == 1 for file in stacks):
            split, label = _meaning(parts[:-1])  # the folder itself is the video
            videos.append(tiff_video(stacks, f"{folder} ({len(stacks)} pictures)", levels, label, split))
        else:
            videos += [tiff_video([file], str(file), levels, label, split) for file in stacks]
    if not videos:
        raise DataError(f"{path} holds no video file; known: {KNOWN}, in a folder per class")
    _check_splits(path, videos)
    return Collection(videos, "video files", levels, notes=tuple(_notes(videos, skipped, other)))


def _folders(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder in order with the names of its files. A linked folder is entered, but none twice."""
    entered: set[str] = set()
    for root, folders, names in os.walk(path, followlinks=True):
        real = os.path.realpath(root)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not _hidden(name))
        yield Path(root), [name for name in names if not _hidden(name)]


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == IGNORED


def _meaning(parts: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Return the split and the class that the folders above a video stand for."""
    split = SPLIT_FOLDERS.get(parts[0].lower()) if parts else None
    class_folders = parts[1:] if split else parts
    no_class = not class_folders or any(NO_CLASS.fullmatch(part) for part in class_folders)
    return split, None if no_class else class_folders[0]


def _check_splits(path: Path, videos: list[Video]) -> None:
    outside = [video.name for video in videos if video.split is None]
    if 0 < len(outside) < len(videos):
        raise DataError(
            f"{path}: {len(outside)} videos are outside the folders of its splits, the first of them {outside[0]}; "
            "move every video into one, or rename those folders"
        )


def _notes(videos: list[Video], skipped: bool, other: Counter[str]) -> Iterator[str]:
    splits = Counter(video.split for video in videos if video.split)
    if splits:
        yield f"folders taken as splits: {', '.join(f'{split} {count}' for split, count in splits.items())} videos"
    if skipped:
        yield "folders of chunks, episodes and cameras not taken as classes"
    ignored = ", ".join(f"{count} {suffix or 'without ending'}" for suffix, count in sorted(other.items()))
    if ignored:
        yield f"{counted(sum(other.values()), 'other file')} ignored: {ignored}"
