"""The Gaussian bound of the study of rates: known sources have known rates."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.scripts import load

CLIPS = 20_000
Bits = Callable[..., float]


@pytest.fixture
def gaussian_bits(monkeypatch: pytest.MonkeyPatch) -> Bits:
    function: Bits = load("rate_distortion/study.py", monkeypatch).gaussian_bits
    return function


def samples(dims: int, deviation: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, (CLIPS, dims))


def test_a_white_source_needs_half_a_bit_for_each_halving_of_the_variance(gaussian_bits: Bits) -> None:
    paths, label = samples(32, 4.0).reshape(CLIPS, 16, 2), np.zeros(CLIPS, dtype=np.int64)
    deviation = 0.5
    bits = gaussian_bits(paths, label, deviation * np.sqrt(np.pi / 2))
    assert bits == pytest.approx(32 * np.log2(4.0 / deviation), rel=0.01)


def test_lines_need_bits_for_their_four_numbers_alone(gaussian_bits: Bits) -> None:
    start, time = samples(4, 8.0), np.linspace(0, 1, 16)[:, None]
    paths = start[:, None, :2] + time * start[:, None, 2:]
    fine, coarse = (gaussian_bits(paths, np.zeros(CLIPS, dtype=np.int64), error) for error in (0.05, 0.1))
    assert fine - coarse == pytest.approx(4, abs=0.1)  # four numbers, a bit more for each


def test_classes_and_appearance_need_bits_too(gaussian_bits: Bits) -> None:
    paths, label = samples(32, 1.0).reshape(CLIPS, 16, 2), np.arange(CLIPS) % 4
    alone = gaussian_bits(paths, np.zeros(CLIPS, dtype=np.int64), 0.2)
    assert gaussian_bits(paths, label, 0.2) - alone == pytest.approx(2, abs=0.1)
    appearance = samples(3, 50.0, 1)
    more = gaussian_bits(paths, label, 0.2, appearance, 10.0) - gaussian_bits(paths, label, 0.2)
    assert more == pytest.approx(3 * np.log2(50 / (10 * np.sqrt(np.pi / 2))), rel=0.02)


def test_no_error_at_all_is_refused(gaussian_bits: Bits) -> None:
    with pytest.raises(ValueError, match="infinitely many bits"):
        gaussian_bits(samples(32, 1.0).reshape(CLIPS, 16, 2), np.zeros(CLIPS, dtype=np.int64), 0.0)
