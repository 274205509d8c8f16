"""Physics figures leave out classes that are no motion family, and measure every family against itself."""

import numpy as np
import pytest

from tests.metrics.sampling.paths import straight_paths, tracks_of
from trajvq.metrics.judge import Judge, calibrate
from trajvq.metrics.sampling.physics import reference_residuals, sample_figures
from trajvq.metrics.scoreboard import value_of

CLASSES = ("dancing", "linear")


def wander(count: int) -> np.ndarray:
    return np.asarray(32 + np.random.default_rng(2).normal(0, 8, (count, 16, 2)))


@pytest.fixture(scope="module")
def judge() -> Judge:
    truth = straight_paths(60, 0)
    points = truth + np.random.default_rng(1).normal(0, 0.1, truth.shape)
    return calibrate(points, truth, np.ones(60, dtype=np.int64), CLASSES)


def test_samples_of_a_class_without_a_family_do_not_count(judge: Judge) -> None:
    points = straight_paths(40, 3) + np.random.default_rng(4).normal(0, 0.1, (40, 16, 2))
    linear = np.ones(40, dtype=np.int64)
    reference = reference_residuals(points, linear, CLASSES)
    alone = sample_figures(tracks_of(points), linear, judge, reference)
    assert value_of(alone["class_match"]) > 0.9
    assert alone["physics_residual"] == pytest.approx(1)
    both = np.concatenate([points, wander(40)])
    mixed = sample_figures(tracks_of(both), np.repeat([1, 0], 40), judge, reference)
    for name in ("class_match", "class_match_per_class", "physics_residual"):
        assert mixed[name] == alone[name]
    assert value_of(mixed["none"]) >= 0.5


def test_without_any_family_there_is_neither_figure(judge: Judge) -> None:
    figures = sample_figures(tracks_of(wander(10)), np.zeros(10, dtype=np.int64), judge, np.ones(2))
    assert not {"class_match", "class_match_per_class", "physics_residual"} & figures.keys()
    assert value_of(figures["visible"]) == 1
