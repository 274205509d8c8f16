"""Density and coverage: clips that are all alike cover nothing, and more samples do not cover more."""

import numpy as np
import pytest

from tests.metrics.sampling.paths import straight_paths, tracks_of
from trajvq.metrics.sampling.prdc import density_and_coverage, track_features


def random_features(count: int, seed: int, color: float = 0.2) -> np.ndarray:
    return track_features(tracks_of(straight_paths(count, seed), color))


def test_clips_of_the_same_kind_cover_each_other_and_one_clip_does_not() -> None:
    real, samples = random_features(200, 0), random_features(400, 1)
    alike = density_and_coverage(real, samples)
    assert alike.coverage > 0.9
    assert alike.density == pytest.approx(1, abs=0.15)
    collapsed = density_and_coverage(real, samples[:1].repeat(400, axis=0))
    assert collapsed.coverage < 0.1
    assert density_and_coverage(real, random_features(400, 1, color=0.9)).coverage == 0


def test_coverage_does_not_rise_with_the_number_of_samples() -> None:
    real = random_features(100, 0)
    few, many = (density_and_coverage(real, random_features(count, 1)).coverage for count in (100, 800))
    assert many == pytest.approx(few, abs=0.06)


def test_a_missing_object_is_outside_of_the_frame() -> None:
    path = straight_paths(3, 0)
    path[0, 3] = np.nan
    assert track_features(tracks_of(path))[0, 6:8].tolist() == [-64, -64]
