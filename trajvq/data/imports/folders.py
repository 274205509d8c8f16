"""Read a folder of videos: which of its files are videos, and which are left out."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trajvq.data.imports.collection import Collection, Files, Video
from trajvq.data.imports.layout import Meaning, read_layout
from trajvq.data.imports.levels import Levels
from trajvq.data.imports.pictures import (
    PICTURE_FILES,
    TIFF_FILES,
    in_order,
    numbering_note,
    page_count,
    picture_video,
    series_of,
)
from trajvq.data.imports.plurals import counted, listed
from trajvq.data.imports.video_files import VIDEO_FILES, video_file
from trajvq.errors import DataError

IGNORED = ("__MACOSX", "@eaDir")  # folders that programs leave behind, beside every name that begins with a dot
KNOWN = ", ".join((*VIDEO_FILES, *PICTURE_FILES))
LONGEST_PATH = 4096  # bytes
NAMED = 5  # folders and files that a line names


@dataclass
class _Contents:
    """What is in a folder and those below it.

    Attributes:
        sources: The files of each video, and the folders above it with a name for it.
        files: Number of files that were found, and of those left out.
        without: Folders without a video and without folders.
        notes: What to say about links.
    """

    sources: list[tuple[list[Path], tuple[str, ...]]] = field(default_factory=list)
    files: Files = field(default_factory=Files)
    without: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_folder(path: Path, rate: float | None = None) -> Collection:
    """Return the videos of a folder.

    `trajvq.data.imports.layout.read_layout` tells what the folders in it stand for. A folder
    of single pictures without videos is one video. Names that begin with a dot are ignored, links are followed.

    Args:
        path: The folder.
        rate: Frames per second to take of video files; None for all frames.

    Raises:
        DataError: If there is no video, only some are in a split or have a class, or there is a rate and no video file.
    """
    contents = _read_contents(path)
    if not contents.sources:
        holds = ", ".join(f"{number:,} {reason}" for reason, number in (+contents.files.left_out).items()) or "nothing"
        raise DataError(f"{path} holds no video file, but {holds}; known: {KNOWN}, in a folder per class")
    if rate is not None and not any(files[0].suffix.lower() in VIDEO_FILES for files, _ in contents.sources):
        raise DataError(
            f"{path} holds pictures, which do not say when they were taken, so --rate does not apply; leave it out"
        )
    meanings, notes = read_layout([parts for _, parts in contents.sources])
    levels = Levels()
    videos = [
        _video(files, meaning, levels, rate) for (files, _), meaning in zip(contents.sources, meanings, strict=True)
    ]
    splits = Counter(video.split for video in videos if video.split)
    _check_all_or_none(path, videos, [video.split for video in videos], "the folders of its splits")
    _check_all_or_none(path, videos, [video.label for video in videos], "the folders of its classes")
    if splits:
        named = ", ".join(f"{split} {count}" for split, count in splits.items())
        notes.insert(0, f"folders taken as splits: {named} videos")
    if contents.without:
        notes.append(f"folders without a video: {listed(contents.without, NAMED)}")
    return Collection(videos, "video files", levels, notes=(*notes, *contents.notes), files=contents.files)


def _video(files: list[Path], meaning: Meaning, levels: Levels, rate: float | None) -> Video:
    if files[0].suffix.lower() in VIDEO_FILES:
        return video_file(files[0], str(files[0]), levels, meaning.label, meaning.split, meaning.group, rate)
    name = str(files[0]) if len(files) == 1 else f"{files[0].parent} ({files[0].name} to {files[-1].name})"
    return picture_video(files, name, levels, meaning.label, meaning.split)


def _read_contents(path: Path) -> _Contents:
    contents = _Contents()
    series: dict[str, list[Path]] = {}  # the pictures of each video
    previews: list[Path] = []
    for folder, folders, names in _walk(path, contents):
        parts = folder.relative_to(path).parts
        special = {name for name in names if _is_special(folder / name)}
        films = sorted(name for name in names if Path(name).suffix.lower() in VIDEO_FILES and name not in special)
        files = [folder / name for name in names if name not in special]
        if len(films) == 1 and _is_preview(folder / films[0], files):
            previews.append(folder / films.pop())
        pictures = _pictures(files, bool(films))
        others = sorted(set(names) - set(films) - {file.name for frames in pictures for file in frames})
        contents.files.total += len(names)
        kinds = ("pipes" if name in special else Path(name).suffix.lower() or "without ending" for name in others)
        contents.files.left_out.update(kinds)
        contents.notes += [note for name in others if (note := _lost_link(folder / name))]
        contents.sources += [([folder / name], (*parts, Path(name).stem)) for name in films]
        for frames in pictures:
            alone = len(frames) == 1 or len(pictures) > 1
            video = (*parts, frames[0].stem) if alone else parts or (path.name,)  # the folder itself may be the video
            contents.sources.append((frames, video))
            if len(frames) > 1:
                series["/".join(video)] = frames
        if not (films or pictures or folders) and parts:
            contents.without.append(str(folder.relative_to(path)))
    if previews:
        count = counted(len(previews), ".gif preview")
        contents.notes.append(f"{count} of the pictures beside them left out; the first: {previews[0]}")
    if series:
        pages = sum(map(len, series.values()))
        several = len({files[0].parent for files in series.values()}) < len(series)  # in one folder
        names_of_one = ": the names of one differ in the last number alone; if that is wrong, rename them"
        taken = f"{pages:,} pictures taken as the frames of {counted(len(series), 'video')}"
        contents.notes.append(taken + names_of_one * several)
        contents.notes += [note] if (note := numbering_note(series)) else []
    contents.sources = _without_inner(contents.sources)
    return contents


def _is_special(file: Path) -> bool:
    """Return whether a name is neither a file nor a broken link, but a pipe or a device, which could block."""
    return file.exists() and not file.is_file()


def _is_preview(film: Path, files: Sequence[Path]) -> bool:
    """Return whether a video file is a .gif of no more frames than there are pictures beside it."""
    pictures = sum(file.suffix.lower() in PICTURE_FILES for file in files)
    return film.suffix.lower() == ".gif" and 1 < pictures >= page_count(film)


def _pictures(files: Sequence[Path], beside_films: bool) -> list[list[Path]]:
    """Return the videos that the pictures of a folder make: each stack is one, and each series of single pictures.

    Single pictures of another kind than TIFF that are alone, or beside video files, are previews and no video.
    """
    videos = []
    for endings in (TIFF_FILES, tuple(ending for ending in PICTURE_FILES if ending not in TIFF_FILES)):
        pictures = in_order([file for file in files if file.suffix.lower() in endings])
        pages = [page_count(file) for file in pictures]
        if len(pictures) > 1 and all(count <= 1 for count in pages):
            videos += series_of(pictures) if endings == TIFF_FILES or not beside_films else []
        else:
            videos += [
                [file] for file, count in zip(pictures, pages, strict=True) if endings == TIFF_FILES or count > 1
            ]
    return videos


def _without_inner(sources: list[tuple[list[Path], tuple[str, ...]]]) -> list[tuple[list[Path], tuple[str, ...]]]:
    """Return sources without the name of the folder that holds the pictures of every video, such as ``img1``."""
    inner = {parts[-1] for files, parts in sources if len(files) > 1 and len(parts) > 1}
    if len(sources) < 2 or len(inner) != 1 or any(len(files) < 2 or len(parts) < 2 for files, parts in sources):
        return sources
    return [(files, parts[:-1]) for files, parts in sources]


def _walk(path: Path, contents: _Contents) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield every folder in order with the names of its folders and files. Linked folders are entered, but none twice.

    Args:
        path: The folder.
        contents: Gains what is hidden, and notes about links.
    """
    entered: dict[str, str] = {}
    linked, twice = [], []
    for root, folders, names in os.walk(path, followlinks=True):
        real, name = os.path.realpath(root), os.path.relpath(root, path)
        if real in entered:
            twice.append(f"{name} (the same as {entered[real]})")
            folders.clear()
            continue
        entered[real] = name
        if os.path.islink(root) and Path(root) != path:
            linked.append(name)
        hidden = [name for name in names if name.startswith(".")]
        hidden_folders = [name for name in folders if name.startswith(".") or name in IGNORED]
        contents.files.total += len(hidden) + len(hidden_folders)
        contents.files.left_out.update({"hidden": len(hidden), "hidden folders": len(hidden_folders)})
        folders[:] = sorted(set(folders) - set(hidden_folders))
        yield Path(root), folders, sorted(set(names) - set(hidden))
    if linked:
        contents.notes.append(f"linked folders followed: {', '.join(linked)}")
    if twice:
        contents.notes.append(f"linked folders left out, whose videos are here already: {', '.join(twice)}")


def _lost_link(file: Path) -> str:
    """Return a note if a file holds nothing but the path of another one: what is left of a link on some systems."""
    try:
        if file.suffix or not 0 < file.stat().st_size <= LONGEST_PATH:
            return ""
        target = file.read_bytes().decode()
        if "\n" in target or "\0" in target or not (file.parent / target).exists():
            return ""
    except (OSError, UnicodeDecodeError):  # a file without ending of another kind, which is counted
        return ""
    return f"{file} is a text file with the path {target}, a lost link: nothing is imported from there; copy it instead"


def _check_all_or_none(path: Path, videos: list[Video], values: list[object], where: str) -> None:
    outside = [video.name for video, value in zip(videos, values, strict=True) if value is None]
    if 0 < len(outside) < len(videos):
        raise DataError(
            f"{path}: {counted(len(outside), 'video')} outside {where}; the first: {outside[0]}; move every video into "
            "one, or rename those folders"
        )
