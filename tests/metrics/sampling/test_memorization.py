"""Memorization: copies of a training clip are recognized, also when mirrored, reversed or shifted."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.metrics.sampling.paths import straight_paths
from trajvq.metrics.sampling.memorization import (
    Nearest,
    is_apart,
    keep_comparable,
    memorization,
    nearest_paths,
    nearest_tokens,
)


@pytest.mark.parametrize("turn", [lambda p: p, lambda p: 64 - p, lambda p: p[..., ::-1], lambda p: p[:, ::-1]])
def test_copies_are_recognized(turn: Callable[[np.ndarray], np.ndarray]) -> None:
    train, val = straight_paths(300, 0), straight_paths(100, 1)
    copies = turn(train[40:90]) + np.random.default_rng(0).normal(0, 0.2, (50, 16, 2))
    nearest_val, nearest_copies = nearest_paths(val, train), nearest_paths(copies, train)
    ratio, nearer = memorization(nearest_copies, nearest_val)
    assert ratio < 0.3
    assert nearer.mean() > 0.9
    assert (nearest_copies.index == np.arange(40, 90)).mean() > 0.9
    ratio, nearer = memorization(nearest_paths(straight_paths(100, 2), train), nearest_val)
    assert ratio == pytest.approx(1, abs=0.25)
    assert nearer.mean() < 0.1


def test_copies_are_recognized_up_to_the_shift_of_training() -> None:
    train = straight_paths(600, 0)
    copies = train[:50] + np.random.default_rng(1).uniform(-2, 2, (50, 1, 2))
    nearest = nearest_paths(copies, train, shift=2.0)
    assert nearest.distance.max() < 0.05
    assert (nearest.index == np.arange(50)).mean() > 0.9
    far = nearest_paths(train[:50] + np.array([5.0, 0.0]), train[:50], shift=2.0)
    assert far.distance.max() == pytest.approx(3.0, abs=0.01)  # no farther than training shifts


def test_the_distance_is_that_of_the_best_shift_and_symmetry() -> None:
    train, paths = straight_paths(60, 0), straight_paths(20, 1)
    nearest = nearest_paths(paths, train, (48, 64), shift=1.5)
    best = np.full(20, np.inf)
    for x, y, transpose, reverse in np.ndindex(2, 2, 2, 2):
        turned = (train - [32, 24]) * [1 - 2 * x, 1 - 2 * y]
        turned = turned[..., ::-1] if transpose else turned
        turned = turned[:, ::-1] if reverse else turned
        apart = paths[:, None] - [32, 24] - turned
        moved = apart - apart.mean(axis=2, keepdims=True).clip(-1.5, 1.5)
        best = np.minimum(best, np.sqrt(np.square(moved).sum(axis=-1).mean(axis=-1)).min(axis=1))
    np.testing.assert_allclose(nearest.distance, best, atol=1e-3)


def test_a_path_with_a_missing_object_resembles_no_training_path() -> None:
    path = straight_paths(1, 0)
    path[0, 3] = np.nan
    assert nearest_paths(path, straight_paths(50, 1), shift=2.0).distance[0] > 10


def test_the_nearest_clip_in_tokens_shares_most_of_them() -> None:
    train = np.array([[9, 9, 9, 9], [1, 2, 3, 4], [5, 6, 7, 8]])
    nearest = nearest_tokens(np.array([[5, 6, 7, 300], [1, 0, 0, 0]]), train)
    assert nearest.index.tolist() == [2, 1]
    assert nearest.distance.tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    ("trained_on", "versions", "kept"),
    [
        ({}, 4, ["path", "tokens"]),
        ({"dataset": "a", "versions": 4}, 4, ["path", "tokens"]),
        ({"dataset": "b"}, 4, []),
        ({"dataset": "a", "versions": 1}, 4, []),
        ({"dataset": "a"}, None, ["path"]),
    ],
)
def test_only_clips_of_the_training_tell_copies(
    trained_on: dict[str, Any], versions: int | None, kept: list[str]
) -> None:
    row = {f"{figure}_{space}": 1.0 for figure in ("memorization", "nearer") for space in ("path", "tokens")}
    rows = {"model": row | {"coverage": 1.0}}
    remarks = keep_comparable(rows, trained_on, {"dataset": "a", "versions": versions})
    assert set(rows["model"]) == {"coverage", *(name for name in row if name.split("_")[1] in kept)}
    assert len(remarks) == (len(kept) < 2)


@pytest.mark.parametrize(("copies", "apart"), [(0, True), (4, True), (6, False), (10, False)])
def test_val_that_is_copied_itself_measures_nothing(copies: int, apart: bool) -> None:
    distance = np.where(np.arange(10) < copies, 0.0, 0.2)
    assert is_apart(Nearest(distance, np.zeros(10, dtype=np.int64))) == apart
