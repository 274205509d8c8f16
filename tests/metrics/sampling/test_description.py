"""Bits that motions need: a count of their numbers."""

import numpy as np
import pytest

from trajvq.metrics.sampling.description import parameter_bits


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
