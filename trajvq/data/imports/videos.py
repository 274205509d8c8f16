"""Import videos: cut them into clips, crop, resize or tile them, and assign them to splits."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from trajvq.data.imports.choice import unused_note
from trajvq.data.imports.clip_backgrounds import ClipBackgrounds
from trajvq.data.imports.collection import Collection, Video
from trajvq.data.imports.cutter import ClipCutter
from trajvq.data.imports.framing import Box, Framing
from trajvq.data.imports.labels import class_ids
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.plurals import counted
from trajvq.data.imports.readers import read_collection
from trajvq.data.imports.segments import Segment, choose_segments, first_of
from trajvq.data.imports.survey import Film, FilmReader, Survey, first_size, observe_levels
from trajvq.data.imports.video_notes import note_omissions, playback_notes, size_notes
from trajvq.data.storage.manifest import Manifest
from trajvq.data.storage.splits import new_dataset, write_split
from trajvq.errors import DataError
from trajvq.io.progress import progress
from trajvq.io.video import Size, height_and_width

FRAMES, SIZE = 16, 64  # of a clip, if the videos are longer than `MAX_FRAMES` or larger than `MAX_SIZE`
MAX_FRAMES, MAX_SIZE = 32, 128
LEAST_FRAMES, LEAST_SIZE = 2, 8
LISTED = 12  # most classes that are named


def import_videos(
    path: Path,
    out: Path,
    val: int | None = None,
    test: int | None = None,
    seed: int = 0,
    frames: int | None = None,
    size: Size | None = None,
    axes: str | None = None,
    array: str | None = None,
    rate: float | None = None,
    fold: int = 0,
    classes: Sequence[str] = (),
    tile: bool = False,
    crop: Box | None = None,
    skip_bad: bool = False,
) -> Manifest:
    """Import videos as a dataset, and print what was detected, assumed, scaled and left out, one line each.

    Videos are read twice, a few frames at a time: once to check them, measure values and backgrounds, and once to
    write the clips.

    Args:
        path: A file or folder of one of the `trajvq.data.imports.readers.FORMATS`.
        out: The dataset folder to create.
        val: Number of videos for validation; see `trajvq.data.imports.segments.choose_segments`.
        test: Number of videos for the test split.
        seed: Seed of the assignment of videos to splits.
        frames: Frames per clip; by default the videos' own number up to `MAX_FRAMES`, else `FRAMES`.
        size: Width and height in pixels, or the side of a square; by default the videos' own size up to `MAX_SIZE`,
            else `SIZE`.
        axes: Order of the axes of an array; detected by default.
        array: Name of the array of videos in a file; chosen by default.
        rate: Frames per second to take of video files, by their times; by default all frames as they come.
        fold: Fold of a cross-validation, see `trajvq.data.storage.splits.split_by_class`.
        classes: Names of the labels in ascending order.
        tile: Cut frames into windows of the clip's size instead of shrinking them.
        crop: Left, top, width and height in pixels of the part of a frame to use.
        skip_bad: Leave out videos that cannot be read.

    Returns:
        The manifest of the dataset.

    Raises:
        DataError: If the videos cannot be read or do not fit, or ``out`` cannot be written.
    """
    _check_sizes(frames, size, crop, rate)
    source = read_collection(path, axes, array, rate)
    survey, ledger = Survey(source, str(path)), Ledger(path)
    shapes = survey.each("opening", first_size)
    scale = ""
    if any(dtype != np.uint8 for *_, dtype in shapes):
        survey.each("measuring", observe_levels)
        scale = source.levels.set_range(str(path))
    sizes = [shape[:2] for shape in shapes]
    common_size = Counter(sizes).most_common(1)[0][0]
    framing = _framing(common_size, size, crop, tile)
    framing.check(*common_size, str(path))
    length = frames or (source.frames if source.frames and LEAST_FRAMES <= source.frames <= MAX_FRAMES else FRAMES)
    reader = FilmReader(framing, length)
    films = survey.each("reading", reader.read)
    if not skip_bad:
        survey.raise_bad()
    used = [k for k, film in enumerate(films) if film.frames >= length]
    if not used:
        raise DataError(_all_too_short(source, survey.videos, films, length, str(path)))
    videos, used_films = [survey.videos[k] for k in used], [films[k] for k in used]
    ids, names = class_ids([video.label for video in videos], str(path), classes)
    clips = [film.frames // length for film in used_films]
    recordings = [video.group or (film.frames, film.crc) for video, film in zip(videos, used_films, strict=True)]
    twins, splits = first_of(recordings), [video.split for video in videos]
    segments, split_notes = choose_segments(splits, clips, ids, str(path), val, test, seed, fold, twins)
    backgrounds = ClipBackgrounds([video.name for video in videos], used_films, reader.common_background())

    print(
        f"{path}: {counted(survey.total, 'video')}, {common_size[1]}x{common_size[0]}, {source.description}; "
        f"classes: {_listed(names)}; clips of {length} frames, {framing.width}x{framing.height}"
    )
    if source.files is not None:
        ledger.count("file", source.files.total, source.files.left_out)
    note_omissions(ledger, survey, films, length)
    lost = {str(video.label) for video in source.videos if video.label} - {str(video.label) for video in videos}
    lost_note = f"no video left of class {_listed(sorted(lost))}" if lost else ""
    notes = [*source.notes, unused_note(source.unused), lost_note, scale]
    notes += [*size_notes(sizes, common_size, framing), *playback_notes(survey.videos, rate)]
    if max(film.brightest for film in used_films) <= 1:
        notes.append("no pixel is above 1 of 255: multiply masks of 0 and 1 by 255, or store them as bool")
    for note in (*notes, *split_notes, *backgrounds.notes()):
        ledger.note(note)

    cutter = ClipCutter(videos, framing, length, backgrounds, ids if names else None)
    manifest = Manifest(path.name, seed, length, framing.height, framing.width, classes=names)
    _write(out, manifest, segments, cutter, sum(clips), ledger)
    return manifest


def _listed(names: Sequence[str]) -> str:
    """Return names in words, all of them if they are few."""
    return ", ".join(names) if 0 < len(names) <= LISTED else str(len(names) or "none")


def _write(
    out: Path,
    manifest: Manifest,
    segments: Mapping[str, Sequence[Segment]],
    cutter: ClipCutter,
    total: int,
    ledger: Ledger,
) -> None:
    """Write the clips of every split and complete the manifest; say which splits are left empty.

    Args:
        out: The dataset folder to create.
        manifest: Gains the splits.
        segments: Parts of videos by split.
        cutter: Cuts them into clips.
        total: Number of clips, for the progress bar.
        ledger: Gains what was left out, and goes into the manifest.
    """
    path = ledger.path
    with new_dataset(out) as folder, progress("cutting", total) as advance:
        for split, parts in segments.items():
            write_split(folder, manifest, split, cutter.clips(parts, advance))
        if not manifest.splits:
            raise DataError(f"{path}: nothing moves in any window; leave out --tile or give a larger --size")
        empty = [split for split in segments if split not in manifest.splits]
        ledger.note(f"no window in which anything moves is left for {' and '.join(empty)}" if empty else "")
        cutter.note_omissions(ledger)
        manifest.ledger = ledger.content
        manifest.write(folder)


def _check_sizes(frames: int | None, size: Size | None, crop: Box | None, rate: float | None) -> None:
    if rate is not None and not 0 < rate < np.inf:
        raise DataError(f"--rate {rate:g} is not a number of frames per second above 0")
    if frames is not None and frames < LEAST_FRAMES:
        raise DataError(f"clips of {frames} frames are too short: at least {LEAST_FRAMES}")
    height, width = height_and_width(LEAST_SIZE if size is None else size)
    if min(height, width) < LEAST_SIZE:
        raise DataError(f"clips of {width}x{height} pixels are too small: at least {LEAST_SIZE}x{LEAST_SIZE}")
    if crop is not None and (min(crop[:2]) < 0 or min(crop[2:]) < LEAST_SIZE):
        raise DataError(
            f"--crop {','.join(map(str, crop))} is no left, top, width and height from 0, 0, {LEAST_SIZE}, {LEAST_SIZE}"
        )


def _all_too_short(source: Collection, videos: Sequence[Video], films: Sequence[Film], length: int, where: str) -> str:
    """Return what to do where no video is as long as a clip, and what was assumed that may be the reason."""
    longest = max(range(len(films)), key=lambda k: films[k].frames)
    most = films[longest].frames
    remedy = f"give --frames {most} or fewer" if most >= LEAST_FRAMES else f"a clip needs at least {LEAST_FRAMES}"
    words = f"{where}: no video has {length} frames; the longest, {videos[longest].name}, has {most}; {remedy}"
    return "; ".join((words, *source.notes))


def _framing(common_size: tuple[int, int], size: Size | None, crop: Box | None, tile: bool) -> Framing:
    """Return how frames become pictures.

    Args:
        common_size: Height and width of most videos.
        size: As for `import_videos`, as the next two.
        crop: The part of a frame to use.
        tile: Whether to cut it into windows.
    """
    height, width = (crop[3], crop[2]) if crop else common_size
    if size is not None:
        height, width = height_and_width(size)
    elif tile or max(height, width) > MAX_SIZE:
        height = width = SIZE
    return Framing(height, width, crop, tile)
