"""Memorization: copies of training clips are recognized, also when mirrored, transposed or reversed."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.metrics.sampling.paths import straight_paths
from trajvq.metrics.sampling.memorization import memorization, nearest_paths, nearest_tokens


@pytest.mark.parametrize("turn", [lambda p: p, lambda p: 64 - p, lambda p: p[..., ::-1], lambda p: p[:, ::-1]])
def test_copies_are_recognized(turn: Callable[[np.ndarray], np.ndarray]) -> None:
    train, val = straight_paths(300, 0), straight_paths(100, 1)
    copies = turn(train[40:90]) + np.random.default_rng(0).normal(0, 0.2, (50, 16, 2))
    nearest_val, nearest_copies = nearest_paths(val, train), nearest_paths(copies, train)
    ratio, share = memorization(nearest_copies, nearest_val)
    assert ratio < 0.3
    assert share > 0.9
    assert (nearest_copies.index == np.arange(40, 90)).mean() > 0.9
    ratio, share = memorization(nearest_paths(straight_paths(100, 2), train), nearest_val)
    assert ratio == pytest.approx(1, abs=0.25)
    assert share < 0.1


def test_a_path_with_a_missing_object_resembles_no_training_path() -> None:
    path = straight_paths(1, 0)
    path[0, 3] = np.nan
    assert nearest_paths(path, straight_paths(50, 1)).distance[0] > 10


def test_the_nearest_clip_in_tokens_shares_most_of_them() -> None:
    train = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    nearest = nearest_tokens(np.array([[5, 6, 7, 9], [1, 0, 0, 0]]), train)
    assert nearest.index.tolist() == [1, 0]
    assert nearest.distance.tolist() == [0.25, 0.75]
