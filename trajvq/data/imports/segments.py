"""Choose the clips of each split: whole videos or, where there are too few, blocks of time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.plurals import counted
from trajvq.data.storage.splits import TEST, VAL, split_by_class, split_sizes
from trajvq.errors import DataError

SHARES = {"train": 1 - VAL - TEST, "val": VAL, "test": TEST}
CYCLE = 16  # clips for each turn of the splits, where there are more than two turns
SEVERAL = 20  # clips from which on there are two turns at least
MAX_CYCLES = 8


class Source(Protocol):
    """A video or a track."""

    @property
    def split(self) -> str | None:
        """The split that it belongs to, or None."""


@dataclass(frozen=True)
class Segment:
    """Consecutive clips of a video or a track.

    Attributes:
        video: Number of the video or track.
        start: First clip.
        stop: Clip after the last.
    """

    video: int
    start: int
    stop: int


Segments = dict[str, list[Segment]]


def time_blocks(clips: int, shares: Mapping[str, float]) -> dict[str, list[tuple[int, int]]]:
    """Cut a sequence of clips into blocks, with a gap of one clip between blocks of different splits.

    The blocks of the splits take turns. A long sequence has several turns, so that every split has clips from the
    beginning, the middle and the end.

    Args:
        clips: Number of clips.
        shares: Share of each split, in the order of their blocks.

    Returns:
        Start and stop of each block by split; nothing if there is no clip for each split.
    """
    turns = int(np.clip((clips + 1) // CYCLE, 2 if clips >= SEVERAL else 1, MAX_CYCLES))
    free = clips - (turns * len(shares) - 1)
    if free < turns * len(shares):
        return {}
    total = sum(shares.values())
    counts = {split: max(round(free * share / total), turns) for split, share in shares.items()}
    largest = max(shares, key=lambda split: shares[split])
    counts[largest] += free - sum(counts.values())
    blocks: dict[str, list[tuple[int, int]]] = {split: [] for split in shares}
    start = 0
    for turn in range(turns):
        for split, count in counts.items():
            size = count * (turn + 1) // turns - count * turn // turns
            blocks[split].append((start, start + size))
            start += size + 1
    return blocks


def segments_by_time(clips: Mapping[int, int], shares: Mapping[str, float]) -> tuple[Segments, list[int]]:
    """Cut every video by time into all splits.

    Args:
        clips: Number of clips by the number of the video.
        shares: Share of each split.

    Returns:
        The segments, without empty splits, and the numbers of videos too short for every split, which have no
        segment.
    """
    segments: Segments = {split: [] for split in shares}
    short = []
    for video, count in clips.items():
        blocks = time_blocks(count, shares)
        if not blocks:
            short.append(video)
        for split, parts in blocks.items():
            segments[split] += [Segment(video, start, stop) for start, stop in parts]
    return {split: parts for split, parts in segments.items() if parts}, short


def choose_segments(
    videos: Sequence[Source],
    clips: Sequence[int],
    labels: NDArray[np.int64],
    where: str,
    val: int | None = None,
    test: int | None = None,
    seed: int = 0,
    fold: int = 0,
    twins: Sequence[int] = (),
    noun: str = "video",
) -> tuple[Segments, list[str]]:
    """Choose the clips of each split.

    Splits are the folders of that name, where there are any; whole videos at random; or, with fewer than three videos
    and no requested numbers, blocks of time. Every clip of a video too short for that is in ``test``.

    Args:
        videos: The videos.
        clips: Number of clips of each video, at least 1.
        labels: ``(N,)`` class ids.
        where: Source of the videos, for messages.
        val: Number of videos for ``val``; a tenth by default.
        test: Number of videos for ``test``; a fifth by default.
        seed: Seed of the assignment.
        fold: See `trajvq.data.storage.splits.split_by_class`.
        twins: For each video the number of the first that is the same. They stay together, if no split becomes empty.
        noun: What the videos are, in the singular.

    Returns:
        The segments of each split, without empty splits, and what was assumed, one line each.

    Raises:
        DataError: If none is left for training, or an argument does not apply.
    """
    named = any(video.split for video in videos)
    by_time = not named and val is None and test is None and len(videos) < len(SHARES)
    if fold and (named or by_time):
        raise DataError(f"{where}: there is no fold {fold}, since {noun}s are not split at random; leave out --fold")
    if named:
        return _by_folder(videos, clips, labels, where, {"val": val, "test": test}, seed)
    if by_time:
        return _by_time(clips, noun)
    splits = split_by_class(labels, split_sizes(len(videos), val, test, where), seed, fold, twins)
    split_of = {video: split for split, rows in splits.items() for video in rows.tolist()}
    same = [video for video, first in enumerate(twins) if video != first and split_of[video] == split_of[first]]
    notes = (
        [f"{counted(len(same), 'video')} with the pixels or the recording of another, kept in its split"]
        if same
        else []
    )
    return {split: _whole(rows.tolist(), clips) for split, rows in splits.items()}, notes


def _whole(videos: Sequence[int], clips: Sequence[int]) -> list[Segment]:
    return [Segment(video, 0, clips[video]) for video in videos]


def _by_time(clips: Sequence[int], noun: str) -> tuple[Segments, list[str]]:
    notes = []
    segments, short = segments_by_time(dict(enumerate(clips)), SHARES)
    if segments:
        used = sum(part.stop - part.start for parts in segments.values() for part in parts)
        gaps = sum(count for video, count in enumerate(clips) if video not in short) - used
        notes.append(
            f"{counted(len(clips) - len(short), noun)}, too few for three splits, cut by time into blocks: "
            f"{_sizes(segments)} clips in {counted(len(segments['test']), 'block')} each; {counted(gaps, 'clip')} "
            "between blocks left out"
        )
    if short:
        segments["test"] = [*segments.get("test", []), *_whole(short, clips)]
        length = "--points" if noun == "track" else "--frames"
        notes.append(
            f"{counted(len(short), noun)} too short for three splits, in test alone; "
            f"to train on them, give fewer {length} or more {noun}s"
        )
    return segments, notes


def _by_folder(
    videos: Sequence[Source],
    clips: Sequence[int],
    labels: NDArray[np.int64],
    where: str,
    requested: Mapping[str, int | None],
    seed: int,
) -> tuple[Segments, list[str]]:
    """Return the splits of the folders. ``train`` gives some videos to a split that has no folder."""
    members = {split: [k for k, video in enumerate(videos) if video.split == split] for split in SHARES}
    for split, number in requested.items():
        if members[split] and number is not None:
            raise DataError(f"{where} has a folder {split}, so --{split} {number} does not apply; leave it out")
    segments: Segments = {split: _whole(rows, clips) for split, rows in members.items() if rows}
    train = members["train"]
    missing = {
        split: max(round(SHARES[split] * len(train)), 1) if number is None else number
        for split, number in requested.items()
        if not members[split] and number != 0
    }
    if not train or not missing:
        return segments, []
    if len(train) > sum(missing.values()):
        taken = split_by_class(labels[train], missing, seed)
        segments |= {split: _whole([train[k] for k in rows.tolist()], clips) for split, rows in taken.items()}
        added = {split: counted(len(segments[split]), "video") for split in missing}
        notes = [f"no folder {split}, filled with {count} of train" for split, count in added.items()]
    else:
        shares = {"train": SHARES["train"]} | {split: SHARES[split] for split in missing}
        cut, short = segments_by_time({k: clips[k] for k in train}, shares)
        segments |= cut
        segments["train"] = [*cut.get("train", []), *_whole(short, clips)]
        notes = [f"no folder {' or '.join(missing)}: train is cut by time, {_sizes(cut)} clips"] if cut else []
    return {split: segments[split] for split in SHARES if split in segments}, notes


def _sizes(segments: Segments) -> str:
    """Return the number of clips of each split, in words."""
    return ", ".join(f"{split} {sum(part.stop - part.start for part in parts)}" for split, parts in segments.items())
