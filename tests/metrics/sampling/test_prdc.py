"""Resemblance: clips that all look alike cover nothing, and copies are called copies, mirrored ones too."""

import numpy as np
import pytest

from trajvq.metrics.sampling.description import parameter_bits
from trajvq.metrics.sampling.prdc import (
    cover,
    features,
    memorization,
    nearest_paths,
    nearest_tokens,
)
from trajvq.metrics.tracking import Tracks


def paths(count: int, seed: int) -> np.ndarray:
    """Straight paths anywhere in the frame."""
    rng = np.random.default_rng(seed)
    start, end = rng.uniform(8, 56, (2, count, 1, 2))
    return np.asarray(start + (end - start) * np.linspace(0, 1, 16)[:, None])


def seen(pixel: np.ndarray, color: float = 0.2) -> Tracks:
    shape = pixel.shape[:2]
    return Tracks(pixel, np.full(shape, 2.5), np.full((*shape, 3), color), np.ones(shape, dtype=np.int64))


def test_clips_of_the_same_kind_cover_each_other_and_one_clip_does_not() -> None:
    real, made = features(seen(paths(200, 0))), features(seen(paths(400, 1)))
    alike = cover(real, made)
    assert alike.coverage > 0.9
    assert alike.density == pytest.approx(1, abs=0.15)
    collapsed = cover(real, made[:1].repeat(400, axis=0))
    assert collapsed.coverage < 0.1
    other_color = cover(real, features(seen(paths(400, 1), color=0.9)))
    assert other_color.coverage == 0


def test_coverage_does_not_rise_with_the_number_of_clips_made() -> None:
    real = features(seen(paths(100, 0)))
    few, many = (cover(real, features(seen(paths(count, 1)))).coverage for count in (100, 800))
    assert many == pytest.approx(few, abs=0.06)


def test_what_is_not_seen_resembles_nothing() -> None:
    path = paths(3, 0)
    path[0, 3] = np.nan
    assert features(seen(path))[0, 6:8].tolist() == [-64, -64]
    assert nearest_paths(path[:1], paths(50, 1)).distance[0] > 10


@pytest.mark.parametrize("turn", [lambda p: p, lambda p: 64 - p, lambda p: p[..., ::-1], lambda p: p[:, ::-1]])
def test_copies_are_called_copies(turn: object) -> None:
    train, val = paths(300, 0), paths(100, 1)
    assert callable(turn)
    copies = turn(train[40:90]) + np.random.default_rng(0).normal(0, 0.2, (50, 16, 2))
    near_val, near_copies = nearest_paths(val, train), nearest_paths(copies, train)
    ratio, share = memorization(near_copies, near_val)
    assert ratio < 0.3
    assert share > 0.9
    assert (near_copies.which == np.arange(40, 90)).mean() > 0.9
    ratio, share = memorization(nearest_paths(paths(100, 2), train), near_val)
    assert ratio == pytest.approx(1, abs=0.25)
    assert share < 0.1


def test_the_nearest_clip_in_tokens_shares_most_of_them() -> None:
    train = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    found = nearest_tokens(np.array([[5, 6, 7, 9], [1, 0, 0, 0]]), train)
    assert found.which.tolist() == [1, 0]
    assert found.distance.tolist() == [0.25, 0.75]


def test_finer_places_and_more_unknowns_are_worth_more_bits() -> None:
    labels = np.zeros(4, dtype=np.int64)
    line = parameter_bits(labels, ("linear", "helical"), 64, (0.25, 0.25, 8))
    assert line == pytest.approx(5 * 8 + 8 + 3 * 5 + 1)
    assert parameter_bits(labels, ("linear", "helical"), 64, (0.125, 0.25, 8)) == pytest.approx(line + 5)
    assert parameter_bits(labels + 1, ("linear", "helical"), 64, (0.25, 0.25, 8)) == pytest.approx(line + 7 * 8)
