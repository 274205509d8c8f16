"""Objects found are assigned to true ones one to one and within reach, and keep their identity over time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajvq.io.arrays import Floats
from trajvq.metrics.matching import MATCH_DISTANCE, assign, link, match
from trajvq.metrics.tracking import Tracks


def tracks_at(pixel: Floats) -> Tracks:
    """Return tracks at ``(N, T, K, 2)`` px whose radius is 1 plus their entry."""
    present = np.asarray(np.isfinite(pixel).all(axis=-1))
    radius = np.where(present, 1.0 + np.arange(pixel.shape[2]), 0.0)
    color = np.where(present[..., None], 0.5, np.full((*present.shape, 3), np.nan))
    return Tracks(pixel, radius, color, present.sum(axis=2))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_any_order_of_the_objects_found_gives_the_true_order(seed: int, objects: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.permutation(16)[:objects]
    true = np.asarray(np.stack([cells % 4, cells // 4], axis=-1)[None, None] * 16.0 + 8, dtype=np.float64)
    shuffled = (true + rng.uniform(-2, 2, true.shape))[:, :, rng.permutation(objects)]
    matches = match(tracks_at(shuffled), true)
    assert matches.matched.all()
    assert (matches.surplus == 0).all()
    assert np.abs(matches.tracks.pixel - true).max() <= 2
    assert sorted(matches.tracks.radius.ravel()) == [1.0 + k for k in range(objects)]


def test_an_object_is_matched_once_within_8_px_and_the_rest_is_surplus() -> None:
    true = np.array([[[[10.0, 10.0], [14.0, 10.0], [np.nan, np.nan]]]])
    candidates = np.array([[[[12.5, 10.0], [40.0, 10.0], [np.nan, np.nan]]]])
    matches = match(tracks_at(candidates), true)
    assert matches.matched.tolist() == [[[False, True, False]]]
    assert matches.surplus.tolist() == [[1]]
    np.testing.assert_array_equal(matches.tracks.pixel[0, 0], [[np.nan, np.nan], [12.5, 10], [np.nan, np.nan]])
    assert matches.tracks.radius.tolist() == [[[0, 1, 0]]]
    assert not match(tracks_at(true[:, :, :1] + [0, MATCH_DISTANCE + 0.1]), true[:, :, :1]).matched.any()


def test_as_many_as_possible_are_matched() -> None:
    # The nearest pair alone would leave both others without a partner.
    first, second = np.array([[0.0, 0.0], [7.0, 0.0]]), np.array([[-6.0, 0.0], [1.0, 0.0]])
    assert assign(first, second).tolist() == [0, 1]
    assert assign(np.zeros((2, 0, 2)), second[None].repeat(2, axis=0)).shape == (2, 0)


@pytest.mark.parametrize("seed", range(3))
def test_identities_survive_shuffled_entries_crossing_paths_and_gaps(seed: int) -> None:
    time = np.arange(16.0)[:, None]
    right = np.concatenate([10 + 3 * time, 30 + 0 * time], axis=1)
    left = np.concatenate([55 - 3 * time, 32 + 0 * time], axis=1)
    late = np.where(time >= 9, np.concatenate([20 + time, 5 + time], axis=1), np.nan)
    right[5] = np.nan
    true = np.stack([left, right, late], axis=1)
    rng = np.random.default_rng(seed)
    shuffled = np.stack([frame[rng.permutation(3)] for frame in true])[None]
    linked = link(tracks_at(shuffled))
    np.testing.assert_array_equal(linked.pixel[0], true)
    assert (linked.count == np.isfinite(true[..., 0]).sum(axis=1)).all()
    assert link(tracks_at(np.full((2, 4, 1, 2), np.nan))).pixel.shape == (2, 4, 1, 2)


@pytest.mark.parametrize(("speed", "missing"), [(3.0, 3), (2.0, 5), (0.0, 6)])
def test_an_object_that_nothing_shows_for_a_while_goes_on_as_it_moved(speed: float, missing: int) -> None:
    true = np.stack([8 + speed * np.arange(16), np.full(16, 20.0)], axis=-1)[:, None]
    true[4 : 4 + missing] = np.nan
    true[6 + missing] = np.nan  # its speed is that of a frame, not of the gap
    np.testing.assert_array_equal(link(tracks_at(true[None])).pixel[0], true)


@pytest.mark.parametrize("seed", range(3))
def test_objects_that_turn_back_where_they_meet_are_told_apart_by_color(seed: int) -> None:
    time = np.arange(16)
    away = 3.0 * np.abs(time - 7.5)
    true = np.stack(
        [np.stack([32 - away, 30 + 0 * away], axis=1), np.stack([32 + away, 31 + 0 * away], axis=1)], axis=1
    )
    color = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(2) for _ in time]
    tracks = tracks_at(np.stack([frame[order] for frame, order in zip(true, orders, strict=True)])[None])
    colored = replace(tracks, color=np.stack([color[order] for order in orders])[None])
    linked = link(colored)
    first = int(np.argmin(np.abs(linked.color[0, 0] - color[0]).sum(axis=-1)))
    np.testing.assert_array_equal(linked.pixel[0, :, [first, 1 - first]].swapaxes(0, 1), true)
    np.testing.assert_array_equal(linked.color[0, :, first], np.tile(color[0], (16, 1)))
