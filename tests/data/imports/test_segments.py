"""Splits never share a clip; whole videos where there are enough, blocks of time where there are not."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajvq.data.imports.segments import SHARES, Segments, choose_segments, time_blocks
from trajvq.errors import DataError


def videos(count: int, split: str | None = None) -> list[str | None]:
    return [split] * count


def choose(splits: list[str | None], clips: list[int], **options: object) -> tuple[Segments, list[str]]:
    return choose_segments(splits, clips, np.zeros(len(splits), np.int64), "v", **options)  # type: ignore[arg-type]


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
    assert set(clips_of(choose(videos(4), [1] * 4, twins=[0] * 4)[0])) == {"test"}


def splits_of(segments: Segments, twins: list[int]) -> dict[int, set[str]]:
    """Return the splits of each group."""
    return {
        group: {split for split, parts in segments.items() for part in parts if twins[part.video] == group}
        for group in twins
    }


def numbered(groups: list[int]) -> list[int]:
    return [groups.index(group) for group in groups]


@given(st.lists(st.integers(0, 8), min_size=3, max_size=40).map(numbered), st.integers(0, 99))
def test_no_group_of_three_or_more_is_cut_and_no_split_is_empty(twins: list[int], seed: int) -> None:
    segments, _ = choose(videos(len(twins)), [1] * len(twins), seed=seed, twins=twins)
    if len(set(twins)) < 3:
        return
    assert sorted(video for part in clips_of(segments).values() for video, _ in part) == list(range(len(twins)))
    assert set(segments) == {"train", "val", "test"}
    assert all(len(splits) == 1 for splits in splits_of(segments, twins).values())


@given(st.lists(st.integers(0, 12), min_size=8, max_size=40).map(numbered), st.integers(0, 99))
def test_no_group_is_in_test_of_two_folds(twins: list[int], seed: int) -> None:
    tested: list[set[int]] = []
    for fold in range(len(twins) // 2):
        try:
            segments, _ = choose(videos(len(twins)), [1] * len(twins), val=1, test=2, seed=seed, fold=fold, twins=twins)
        except DataError as error:
            assert "too many sources belong together" in str(error)  # noqa: PT017  # not every fold is an error
            continue
        tested.append({twins[part.video] for part in segments.get("test", [])})
    assert sum(map(len, tested)) == len(set().union(*tested))


@pytest.mark.parametrize(
    ("twins", "said"), [([0, 0, 2, 2], "4 videos of 2 recordings"), ([0, 0, 0], "3 videos of 1 recording")]
)
def test_fewer_recordings_than_splits_are_cut_by_time_at_the_same_moments(twins: list[int], said: str) -> None:
    segments, notes = choose(videos(len(twins)), [40, 40, 40, 37][: len(twins)], twins=twins)
    assert f"{said}, too few for three splits, cut by time into common blocks" in notes[0]
    moments = {split: {(twins[video], clip) for video, clip in part} for split, part in clips_of(segments).items()}
    assert set(moments) == {"train", "val", "test"}
    assert sum(map(len, moments.values())) == len(set().union(*moments.values()))
    assert len(moments["train"]) == 24 * len(set(twins))


def test_the_largest_group_is_for_training() -> None:
    twins = [*[0] * 10, 10, 11]
    for seed in range(6):
        segments, _ = choose(videos(12), [1] * 12, seed=seed, twins=twins)
        assert {split: len(parts) for split, parts in segments.items()} == {"train": 10, "val": 1, "test": 1}


def test_requested_sizes_do_not_cut_groups_and_what_is_empty_is_said() -> None:
    segments, notes = choose(videos(4), [40] * 4, twins=[0, 0, 2, 2], val=1, test=1)
    assert {split: len(parts) for split, parts in segments.items()} == {"train": 2, "test": 2}
    assert all(len(splits) == 1 for splits in splits_of(segments, [0, 0, 2, 2]).values())
    assert notes[-1].startswith("2 recordings for three splits leave none for val; leave out --val and --test")


def test_train_gives_whole_recordings_to_splits_without_a_folder() -> None:
    twins = [k - k % 2 for k in range(20)]
    source = [*videos(20, "train"), *videos(2, "test")]
    for seed in range(6):
        segments, notes = choose(source, [2] * 22, seed=seed, twins=[*twins, 20, 21])
        assert len(segments["val"]) == 2
        assert all(len(splits) == 1 for splits in splits_of(segments, [*twins, 20, 21]).values())
    assert "10 videos with the pixels or the recording of another, kept in its split" in notes
    segments, notes = choose(source[-6:], [40, 40, 40, 33, 1, 1], twins=[0, 0, 0, 0, 4, 4])
    moments = {split: {clip for _, clip in part} for split, part in clips_of(segments).items()}
    assert not moments["train"] & moments["val"]
    assert "train is cut by time" in notes[0]


def test_what_the_folders_of_splits_have_in_common_is_said() -> None:
    source = [*videos(12, "train"), *videos(3, "test")]
    _, notes = choose(source, [2] * 15, twins=[*range(12), 3, 13, 14])
    assert notes[0] == "2 videos with the pixels or the recording of one in another split's folder"
    segments, notes = choose([*videos(3, "train"), *videos(1, "test")], [2] * 4, twins=[0, 0, 0, 3])
    assert set(segments) == {"train", "test"}
    assert notes == ["no folder val: train is too short to be cut by time"]


def test_a_pause_of_a_group_takes_no_time_from_a_split() -> None:
    begin = np.arange(40.0) + 100_000 * (np.arange(40) >= 4)
    span = np.stack([begin, begin + 1], axis=1)
    segments, _ = choose(videos(2), [40, 40], twins=[0, 0], spans=[span, span])
    assert {split: len(part) for split, part in clips_of(segments).items()} == {"train": 48, "val": 8, "test": 14}


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(1, 30)), min_size=2, max_size=5), st.integers(0, 300))
def test_clips_of_a_group_in_several_splits_do_not_overlap(starts: list[tuple[int, int]], pause: int) -> None:
    spans = []
    for start, count in starts:
        begin = start / 10 + np.arange(count, dtype=float) + pause * (np.arange(count) > count / 2)
        spans.append(np.stack([begin, begin + 1], axis=1) * 16)
    segments, _ = choose(videos(len(spans)), [len(span) for span in spans], twins=[0] * len(spans), spans=spans)
    times = sorted((*spans[video][k], split) for split, part in clips_of(segments).items() for video, k in part)
    for number, (_, stop, split) in enumerate(times):
        assert all(begin > stop - 1e-3 for begin, _, other in times[number + 1 :] if other != split)


def test_a_fold_needs_videos_to_choose_from() -> None:
    with pytest.raises(DataError, match="no fold 1"):
        choose(videos(1), [40], fold=1)
    with pytest.raises(DataError, match="leave none"):
        choose(videos(1), [40], val=1, test=1)
