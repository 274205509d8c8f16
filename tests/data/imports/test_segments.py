"""Splits never share a clip; whole videos where there are enough, blocks of time where there are not."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajvq.data.imports.collection import Video
from trajvq.data.imports.levels import Levels
from trajvq.data.imports.segments import SHARES, Segments, choose_segments, time_blocks
from trajvq.errors import DataError


def videos(count: int, split: str | None = None) -> list[Video]:
    return [Video(f"v{k}", None, lambda: iter(()), Levels(), split=split) for k in range(count)]


def choose(source: list[Video], clips: list[int], **options: object) -> tuple[Segments, list[str]]:
    return choose_segments(source, clips, np.zeros(len(source), np.int64), "v", **options)  # type: ignore[arg-type]


def clips_of(segments: Segments) -> dict[str, list[tuple[int, int]]]:
    return {s: [(p.video, k) for p in parts for k in range(p.start, p.stop)] for s, parts in segments.items()}


@given(st.integers(0, 2000))
def test_blocks_of_time_are_in_proportion_with_a_gap_between_splits(clips: int) -> None:
    blocks = time_blocks(clips, SHARES)
    if clips < 5:
        assert blocks == {}
        return
    ordered = sorted((start, stop) for parts in blocks.values() for start, stop in parts)
    assert ordered[0][0] == 0
    assert ordered[-1][1] == clips
    assert all(second[0] - first[1] == 1 for first, second in pairwise(ordered))
    sizes = {split: sum(stop - start for start, stop in parts) for split, parts in blocks.items()}
    assert all(stop > start for start, stop in ordered)
    for split, share in SHARES.items():
        assert abs(sizes[split] - share * sum(sizes.values())) <= max(1.5, len(blocks[split]))
    if clips >= 20:
        assert all(len(parts) >= 2 for parts in blocks.values())


@pytest.mark.parametrize("count", [3, 4, 7, 30])
def test_every_split_gets_a_video_where_there_are_enough(count: int) -> None:
    segments, notes = choose(videos(count), [2] * count)
    clips = clips_of(segments)
    assert set(clips) == {"train", "val", "test"}
    assert not notes
    owners = [{video for video, _ in part} for part in clips.values()]
    assert sum(map(len, owners)) == len(set.union(*owners)) == count


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_videos_are_cut_by_time_and_that_is_said(count: int) -> None:
    segments, notes = choose(videos(count), [40, 3][:count])
    clips = clips_of(segments)
    assert set(clips) == {"train", "val", "test"}
    assert sum(map(len, clips.values())) == len(set().union(*clips.values()))
    assert "cut by time" in notes[0]
    if count == 2:
        assert {(1, 0), (1, 1), (1, 2)} <= set(clips["test"])
        assert any("1 video too short for three splits, in test alone" in note for note in notes)


def test_what_is_too_short_for_three_splits_is_in_test() -> None:
    segments, notes = choose(videos(1), [4])
    assert {split: len(part) for split, part in clips_of(segments).items()} == {"test": 4}
    assert len(notes) == 1
    assert notes[0].startswith("1 video too short for three splits, in test alone; to train on them, give ")


def test_folders_are_splits_and_train_gives_to_those_that_are_missing() -> None:
    source = [*videos(12, "train"), *videos(3, "test")]
    segments, notes = choose(source, [2] * 15)
    owners = {split: {video for video, _ in part} for split, part in clips_of(segments).items()}
    assert owners["test"] == {12, 13, 14}
    assert len(owners["val"]) == 1
    assert owners["train"] | owners["val"] == set(range(12))
    assert notes == ["no folder val, filled with 1 video of train"]
    assert "val" not in choose(source, [2] * 15, val=0)[0]
    with pytest.raises(DataError, match="--test 2 does not apply"):
        choose(source, [2] * 15, test=2)
    one = [*videos(1, "train"), *videos(1, "test")]
    segments, notes = choose(one, [20, 5])
    assert {split: {p.video for p in parts} for split, parts in segments.items()} == {
        "train": {0},
        "val": {0},
        "test": {1},
    }
    assert "train is cut by time" in notes[0]


def test_equal_videos_stay_together_and_sizes_nearly_stay() -> None:
    twins = list(range(20))
    twins[7] = twins[15] = 2
    for seed in range(10):
        before = clips_of(choose(videos(20), [1] * 20, seed=seed)[0])
        after = clips_of(choose(videos(20), [1] * 20, seed=seed, twins=twins)[0])
        assert all(abs(len(after[split]) - len(before[split])) <= 2 for split in before)
        assert sum(map(len, after.values())) == 20
        assert sum((2, 0) in part for part in after.values()) == 1
        home = next(part for part in after.values() if (2, 0) in part)
        assert (7, 0) in home
        assert (15, 0) in home
    assert set(clips_of(choose(videos(4), [1] * 4, twins=[0] * 4)[0])) == {"train", "val", "test"}


def test_a_fold_needs_videos_to_choose_from() -> None:
    with pytest.raises(DataError, match="no fold 1"):
        choose(videos(1), [40], fold=1)
    with pytest.raises(DataError, match="leave none"):
        choose(videos(1), [40], val=1, test=1)
