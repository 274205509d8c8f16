"""Choose the clips of each split: whole videos or, where there are too few, blocks of time."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.plurals import counted
from trajvq.data.storage.splits import TEST, VAL, split_by_class, split_sizes
from trajvq.errors import DataError
from trajvq.io.arrays import Floats

SHARES = {"train": 1 - VAL - TEST, "val": VAL, "test": TEST}
CYCLE = 16  # clips for each turn of the splits, where there are more than two turns
SEVERAL = 20  # clips from which on there are two turns at least
MAX_CYCLES = 8
ROUNDING = 6  # decimals of times in clips
WHOLE = {"video": "recording", "track": "animal"}  # what a group is of


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


def first_of(keys: Sequence[Hashable]) -> list[int]:
    """Return for each key the number of the first one that is equal; for None its own number."""
    first: dict[Hashable, int] = {}
    return [number if key is None else first.setdefault(key, number) for number, key in enumerate(keys)]


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


def segments_by_time(
    clips: Mapping[int, int],
    shares: Mapping[str, float],
    twins: Mapping[int, int],
    spans: Mapping[int, Floats] | None = None,
) -> tuple[Segments, list[int]]:
    """Cut every video by time into all splits. Videos of a group have their blocks in common.

    Args:
        clips: Number of clips by the number of the video.
        shares: Share of each split.
        twins: For each video the first of its group.
        spans: ``(clips, 2)`` begin and end of the clips of each video, on a clock that a group has in common; by
            default clips follow one another from the same moment on. Clips off the grid of the others may reach half
            into the gap between two blocks, so that clips of different splits never overlap.

    Returns:
        The segments, without empty splits, and the numbers of videos too short for every split, which have no
        segment.
    """
    groups: dict[int, list[int]] = {}
    for video in clips:
        groups.setdefault(twins[video], []).append(video)
    segments: Segments = {split: [] for split in shares}
    short = []
    for group in groups.values():
        times = {
            video: spans[video] if spans and len(group) > 1 else np.arange(clips[video])[:, None] + [0.0, 1.0]
            for video in group
        }
        parts = _common_blocks(times, shares)
        short += [] if parts else group
        for split, own in parts.items():
            segments[split] += own
    return {split: parts for split, parts in segments.items() if parts}, short


def _common_blocks(spans: Mapping[int, Floats], shares: Mapping[str, float]) -> Segments:
    """Return the segments of a group of videos by split; nothing if a split gets no clip."""
    unit = float(np.median(np.concatenate([np.diff(span) for span in spans.values()])))
    begin = min(float(span.min()) for span in spans.values())
    scaled = {video: np.round((span - begin) / unit, ROUNDING) for video, span in spans.items()}
    ranges = np.concatenate([np.stack([np.floor(span[:, 0]), np.ceil(span[:, 1])], axis=1) for span in scaled.values()])
    cells = np.unique(np.concatenate([np.arange(first, stop) for first, stop in ranges]))  # of time, with a clip
    blocks = time_blocks(len(cells), shares)
    segments: Segments = {split: [] for split in blocks}
    for video, span in scaled.items():
        first, last = np.floor(span[:, 0]), np.ceil(span[:, 1]) - 1
        start = np.searchsorted(cells, first) + span[:, 0] - first  # without the time in which there is no clip
        stop = np.searchsorted(cells, last) + span[:, 1] - last
        for split, parts in blocks.items():
            for low, high in parts:
                inside = np.flatnonzero((start >= low - 0.5) & (stop <= high + 0.5))
                if len(inside):
                    segments[split].append(Segment(video, int(inside[0]), int(inside[-1]) + 1))
    return segments if all(segments.values()) else {}


def choose_segments(
    splits: Sequence[str | None],
    clips: Sequence[int],
    labels: NDArray[np.int64],
    where: str,
    val: int | None = None,
    test: int | None = None,
    seed: int = 0,
    fold: int = 0,
    twins: Sequence[int] = (),
    noun: str = "video",
    spans: Sequence[Floats] = (),
) -> tuple[Segments, list[str]]:
    """Choose the clips of each split.

    Splits are the folders of that name, where there are any; whole groups of videos at random; or, with fewer than
    three groups and no requested numbers, blocks of time, the same for all videos of a group. Every clip of a group too
    short for that is in ``test``.

    Args:
        splits: For each video the split that it belongs to, or None.
        clips: Number of clips of each video, at least 1.
        labels: ``(N,)`` class ids.
        where: Source of the videos, for messages.
        val: Number of videos for ``val``; a tenth by default.
        test: Number of videos for ``test``; a fifth by default.
        seed: Seed of the assignment.
        fold: See `trajvq.data.storage.splits.split_by_class`.
        twins: For each video the number of the first of its group, such as those with the same pixels. By default
            every video is on its own.
        noun: What the videos are, in the singular.
        spans: For each video ``(clips, 2)`` times, as for `segments_by_time`.

    Returns:
        The segments of each split, without empty splits, and what was assumed, one line each.

    Raises:
        DataError: If none is left for training, or an argument does not apply.
    """
    twins = list(twins) or list(range(len(clips)))
    named = any(splits)
    by_time = not named and val is None and test is None and len(set(twins)) < len(SHARES)
    if fold and (named or by_time):
        raise DataError(f"{where}: there is no fold {fold}, since {noun}s are not split at random; leave out --fold")
    if named:
        return _by_folder(splits, clips, labels, where, {"val": val, "test": test}, seed, twins)
    if by_time:
        return _by_time(clips, noun, twins, spans)
    sizes = split_sizes(len(clips), val, test, where)
    chosen = split_by_class(labels, sizes, seed, fold, twins)
    notes = _group_notes(twins, noun)
    empty = [split for split, size in sizes.items() if size and split not in chosen]
    if empty:
        notes.append(
            f"{counted(len(set(twins)), WHOLE[noun])} for three splits leave none for {' and '.join(empty)}; "
            "leave out --val and --test to cut by time"
        )
    return {split: _whole(rows.tolist(), clips) for split, rows in chosen.items()}, notes


def _group_notes(twins: Sequence[int], noun: str) -> list[str]:
    """Return how many videos or tracks are in the split of another, in one line; nothing if every one is on its own."""
    same = len(twins) - len(set(twins))
    what = "the pixels or the recording" if noun == "video" else "the animal"
    return [f"{counted(same, noun)} with {what} of another, kept in its split"] if same else []


def _whole(videos: Sequence[int], clips: Sequence[int]) -> list[Segment]:
    return [Segment(video, 0, clips[video]) for video in videos]


def _by_time(
    clips: Sequence[int], noun: str, twins: Sequence[int], spans: Sequence[Floats]
) -> tuple[Segments, list[str]]:
    notes = []
    segments, short = segments_by_time(dict(enumerate(clips)), SHARES, dict(enumerate(twins)), dict(enumerate(spans)))
    if segments:
        used = sum(part.stop - part.start for parts in segments.values() for part in parts)
        cut = [video for video in range(len(clips)) if video not in short]
        gaps = sum(clips[video] for video in cut) - used
        groups = len({twins[video] for video in cut})
        of_groups = f" of {counted(groups, WHOLE[noun])}" if groups < len(cut) else ""
        notes.append(
            f"{counted(len(cut), noun)}{of_groups}, too few for three splits, cut by time into "
            f"{'common ' if of_groups else ''}blocks: "
            f"{_sizes(segments)} clips in {counted(len(segments['test']), 'block')} each; {counted(gaps, 'clip')} "
            "between blocks left out"
        )
    if short:
        segments["test"] = [*segments.get("test", []), *_whole(short, clips)]
        length = "--points" if noun == "track" else "--frames"
        whole = noun if len(set(twins)) == len(twins) else WHOLE[noun]
        notes.append(
            f"{counted(len(short), noun)} too short for three splits, in test alone; "
            f"to train on them, give fewer {length} or more {whole}s"
        )
    return segments, notes


def _by_folder(
    splits: Sequence[str | None],
    clips: Sequence[int],
    labels: NDArray[np.int64],
    where: str,
    requested: Mapping[str, int | None],
    seed: int,
    twins: Sequence[int],
) -> tuple[Segments, list[str]]:
    """Return the splits of the folders. ``train`` gives some videos to a split that has no folder."""
    members = {split: [k for k, own in enumerate(splits) if own == split] for split in SHARES}
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
    folders: dict[int, set[str | None]] = {}
    for own, group in zip(splits, twins, strict=True):
        folders.setdefault(group, set()).add(own)
    apart = sum(len(folders[group]) > 1 for group in twins)
    leak = [f"{counted(apart, 'video')} with the pixels or the recording of one in another split's folder"] * (
        apart > 0
    )
    if not train or not missing:
        return segments, leak
    groups = [twins[k] for k in train]
    if len(train) > sum(missing.values()) and len(set(groups)) > len(missing):
        taken = split_by_class(labels[train], missing, seed, twins=[groups.index(group) for group in groups])
        segments |= {split: _whole([train[k] for k in rows.tolist()], clips) for split, rows in taken.items()}
        added = {split: counted(len(segments[split]), "video") for split in missing}
        notes = [f"no folder {split}, filled with {count} of train" for split, count in added.items()]
        notes += _group_notes(groups, "video")
    else:
        shares = {"train": SHARES["train"]} | {split: SHARES[split] for split in missing}
        cut, short = segments_by_time({k: clips[k] for k in train}, shares, dict(zip(train, groups, strict=True)))
        segments |= cut
        segments["train"] = [*cut.get("train", []), *_whole(short, clips)]
        outcome = f"train is cut by time, {_sizes(cut)} clips" if cut else "train is too short to be cut by time"
        notes = [f"no folder {' or '.join(missing)}: {outcome}"]
    return {split: segments[split] for split in SHARES if split in segments}, [*leak, *notes]


def _sizes(segments: Segments) -> str:
    """Return the number of clips of each split, in words."""
    return ", ".join(f"{split} {sum(part.stop - part.start for part in parts)}" for split, parts in segments.items())
