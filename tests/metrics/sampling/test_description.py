"""Bits that motions need: known sources have known rates."""

import numpy as np
import pytest

from trajvq.metrics.sampling.description import gaussian_bits, parameter_bits

CLIPS = 20_000


def samples(dims: int, deviation: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, (CLIPS, dims))


def test_a_white_source_needs_half_a_bit_for_each_halving_of_the_variance() -> None:
    paths, label = samples(32, 4.0).reshape(CLIPS, 16, 2), np.zeros(CLIPS, dtype=np.int64)
    deviation = 0.5
    bits = gaussian_bits(paths, label, deviation * np.sqrt(np.pi / 2))
    assert bits == pytest.approx(32 * np.log2(4.0 / deviation), rel=0.01)


def test_lines_need_bits_for_their_four_numbers_alone() -> None:
    start, time = samples(4, 8.0), np.linspace(0, 1, 16)[:, None]
    paths = start[:, None, :2] + time * start[:, None, 2:]
    fine, coarse = (gaussian_bits(paths, np.zeros(CLIPS, dtype=np.int64), error) for error in (0.05, 0.1))
    assert fine - coarse == pytest.approx(4, abs=0.1)  # four numbers, a bit more for each


def test_classes_and_appearance_need_bits_too() -> None:
    paths, label = samples(32, 1.0).reshape(CLIPS, 16, 2), np.arange(CLIPS) % 4
    alone = gaussian_bits(paths, np.zeros(CLIPS, dtype=np.int64), 0.2)
    assert gaussian_bits(paths, label, 0.2) - alone == pytest.approx(2, abs=0.1)
    appearance = samples(3, 50.0, 1)
    more = gaussian_bits(paths, label, 0.2, appearance, 10.0) - gaussian_bits(paths, label, 0.2)
    assert more == pytest.approx(3 * np.log2(50 / (10 * np.sqrt(np.pi / 2))), rel=0.02)


def test_no_error_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="infinitely many bits"):
        gaussian_bits(samples(32, 1.0).reshape(CLIPS, 16, 2), np.zeros(CLIPS, dtype=np.int64), 0.0)


def test_smaller_errors_and_more_unknowns_need_more_bits() -> None:
    labels = np.zeros(4, dtype=np.int64)
    line = parameter_bits(labels, ("linear", "helical"), 64, (0.25, 0.25, 8))
    assert line == pytest.approx(5 * 8 + 8 + 3 * 5 + 1)
    assert parameter_bits(labels, ("linear", "helical"), 64, (0.125, 0.25, 8)) == pytest.approx(line + 5)
    assert parameter_bits(labels + 1, ("linear", "helical"), 64, (0.25, 0.25, 8)) == pytest.approx(line + 7 * 8)


def test_every_object_of_a_clip_needs_bits_and_its_class_once() -> None:
    labels, classes, errors = np.array([0, 1]), ("linear", "helical"), (0.25, 0.25, 8.0)
    line, helix = 5 * 8 + 8 + 3 * 5, 12 * 8 + 8 + 3 * 5
    bits = parameter_bits(labels, classes, 64, errors, np.array([1, 3]))
    assert bits == pytest.approx((line + 3 * helix) / 2 + 1)
