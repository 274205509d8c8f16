"""Bits that motions need: known sources have known rates."""

import numpy as np
import pytest

from trajvq.metrics.sampling.description import gaussian_bits

CLIPS = 20_000


def drawn(dims: int, deviation: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, (CLIPS, dims))


def test_a_white_source_needs_half_a_bit_for_each_halving_of_the_variance() -> None:
    paths, label = drawn(32, 4.0).reshape(CLIPS, 16, 2), np.zeros(CLIPS, dtype=np.int64)
    deviation = 0.5
    bits = gaussian_bits(paths, label, deviation * np.sqrt(np.pi / 2))
    assert bits == pytest.approx(32 * np.log2(4.0 / deviation), rel=0.01)


def test_what_a_line_leaves_open_needs_its_freedom_only() -> None:
    start, time = drawn(4, 8.0), np.linspace(0, 1, 16)[:, None]
    paths = start[:, None, :2] + time * start[:, None, 2:]
    fine, coarse = (gaussian_bits(paths, np.zeros(CLIPS, dtype=np.int64), error) for error in (0.05, 0.1))
    assert fine - coarse == pytest.approx(4, abs=0.1)  # four numbers, a bit more for each


def test_classes_and_looks_are_told_too() -> None:
    paths, label = drawn(32, 1.0).reshape(CLIPS, 16, 2), np.arange(CLIPS) % 4
    alone = gaussian_bits(paths, np.zeros(CLIPS, dtype=np.int64), 0.2)
    assert gaussian_bits(paths, label, 0.2) - alone == pytest.approx(2, abs=0.1)
    look = drawn(3, 50.0, 1)
    told = gaussian_bits(paths, label, 0.2, look, 10.0) - gaussian_bits(paths, label, 0.2)
    assert told == pytest.approx(3 * np.log2(50 / (10 * np.sqrt(np.pi / 2))), rel=0.02)


def test_no_error_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="endless bits"):
        gaussian_bits(drawn(32, 1.0).reshape(CLIPS, 16, 2), np.zeros(CLIPS, dtype=np.int64), 0.0)
