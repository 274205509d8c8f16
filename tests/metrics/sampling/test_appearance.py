"""Appearance: sizes and colors that occur in real clips match, invented ones do not."""

import numpy as np
import pytest

from trajvq.metrics.sampling.appearance import matching_appearance, mean_appearance


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    """Radii of 2 to 3 px, colors from dark to medium gray."""
    return np.random.default_rng(0).uniform([2, 0.2, 0.2, 0.2], [3, 0.6, 0.6, 0.6], (300, 4))


def test_the_mean_is_over_frames_that_show_an_object() -> None:
    radius, color = np.array([[2.0, 0.0, 4.0], [0.0, 0.0, 0.0]]), np.full((2, 3, 3), np.nan)
    color[0, 0], color[0, 2] = (0.2, 0.4, 0.6), (0.4, 0.4, 0.8)
    np.testing.assert_allclose(mean_appearance(radius, color), np.array([[3, 0.3, 0.4, 0.7], [0, 0, 0, 0]]))


@pytest.mark.parametrize(
    ("sample", "matches"),
    [
        ((2.5, 0.4, 0.4, 0.4), True),
        ((3.25, 0.4, 0.4, 0.4), True),
        ((3.4, 0.4, 0.4, 0.4), False),
        ((1.6, 0.4, 0.4, 0.4), False),
        ((2.5, 0.63, 0.4, 0.4), True),
        ((2.5, 0.66, 0.4, 0.4), False),
        ((2.5, 0.4, 0.4, 0.1), False),
        ((0.0, 0.0, 0.0, 0.0), False),
    ],
)
def test_a_size_and_a_color_may_differ_by_so_much(real: np.ndarray, sample: tuple[float, ...], matches: bool) -> None:
    assert matching_appearance(np.array([sample]), real).tolist() == [matches]


def test_real_clips_match_and_a_bad_one_among_them_admits_nothing_else(real: np.ndarray) -> None:
    assert matching_appearance(real, real).mean() > 0.99
    bad = np.concatenate([real, [[20.0, 1.0, 1.0, 1.0]]])
    assert not matching_appearance(np.array([[6.0, 0.9, 0.9, 0.9]]), bad).any()


def test_a_sample_without_object_never_matches_whatever_reconstructions_lose(real: np.ndarray) -> None:
    lost = np.concatenate([real, np.zeros((30, 4))])
    assert matching_appearance(np.array([[0.0] * 4, [0.2, 0.05, 0.05, 0.05], [2.5, 0.4, 0.4, 0.4]]), lost).tolist() == [
        False,
        False,
        True,
    ]
    assert not matching_appearance(np.zeros((2, 4)), np.zeros((3, 4))).any()
