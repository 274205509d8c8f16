"""Density and coverage: a single color, size or path covers nothing, and more samples do not cover more."""

import numpy as np
import pytest

from tests.metrics.sampling.paths import straight_paths
from trajvq.metrics.sampling.prdc import Features, density_and_coverage, path_features


def random_features(count: int, seed: int) -> Features:
    """Return features of straight paths in any color and of any radius from 1.5 to 3.5 px."""
    numbers = np.random.default_rng((seed, 1)).uniform(0, 1, (count, 4))
    return Features(path_features(straight_paths(count, seed)), numbers * [2, 1, 1, 1] + [1.5, 0, 0, 0])


def test_clips_of_the_same_kind_cover_each_other_and_one_clip_does_not() -> None:
    real, samples = random_features(200, 0), random_features(400, 1)
    alike = density_and_coverage(real, samples)
    assert alike.coverage > 0.9
    assert alike.density == pytest.approx(1, abs=0.15)
    collapsed = Features(*(part[:1].repeat(400, axis=0) for part in samples))
    assert density_and_coverage(real, collapsed).coverage < 0.1


@pytest.mark.parametrize("count", [100, 400])
@pytest.mark.parametrize("columns", [slice(0, 4), slice(1, 4), slice(0, 1)])
def test_one_color_or_radius_for_all_loses_at_least_half(count: int, columns: slice) -> None:
    real, samples = random_features(count, 0), random_features(2 * count, 1)
    alike = density_and_coverage(real, samples).coverage
    uniform = samples.appearance.copy()
    uniform[:, columns] = np.median(real.appearance, axis=0)[columns]
    most = 0.8 if count == 100 and columns.stop == 1 else 0.5
    assert density_and_coverage(real, Features(samples.path, uniform)).coverage < most * alike
    one_path = Features(samples.path[:1].repeat(2 * count, axis=0), samples.appearance)
    assert density_and_coverage(real, one_path).coverage < 0.5 * alike


def test_path_and_appearance_weigh_alike() -> None:
    real, samples = random_features(400, 0), random_features(800, 1)
    densities = []
    for number in range(2):  # far from all real clips, in one of the two only
        parts = list(samples)
        parts[number] = parts[number] + 1.5 * real[number].std(axis=0)
        densities.append(density_and_coverage(real, Features(*parts)).density)
    assert densities[0] == pytest.approx(densities[1], abs=0.25)
    assert max(densities) < 0.5


def test_noise_of_a_color_that_all_clips_share_is_no_variety() -> None:
    real, samples = random_features(100, 0), random_features(200, 1)
    noise = np.random.default_rng(2).normal(0, 0.005, (200, 3))
    for features, shift in ((real, 0.0), (samples, 0.01)):
        features.appearance[:, 1:] = 0.5 + shift + noise[: len(features.path)]
    assert density_and_coverage(real, samples).coverage > 0.9
    samples.appearance[:, 1:] += 0.4
    assert density_and_coverage(real, samples).coverage < 0.1


def test_noise_across_the_direction_that_all_paths_share_is_no_variety() -> None:
    def along_x(seed: int, noise: float, height: float = 32.0) -> Features:
        rng = np.random.default_rng(seed)
        x = rng.uniform(8, 24, (200, 1)) + rng.uniform(0.5, 2, (200, 1)) * np.arange(16)
        pixel = np.stack([x, np.full(x.shape, height)], axis=-1)
        return Features(path_features(pixel + rng.normal(0, noise, pixel.shape)), rng.uniform(0, 1, (200, 4)))

    real = along_x(0, 0.02)
    assert density_and_coverage(real, along_x(1, 0.2)).coverage > 0.7
    assert density_and_coverage(real, along_x(1, 0.02, height=40.0)).coverage < 0.1


def test_coverage_does_not_rise_with_the_number_of_samples() -> None:
    real = random_features(100, 0)
    few, many = (density_and_coverage(real, random_features(count, 1)).coverage for count in (100, 800))
    assert many == pytest.approx(few, abs=0.08)


def test_a_missing_object_is_outside_of_the_frame() -> None:
    path = straight_paths(3, 0)
    path[0, 3] = np.nan
    assert path_features(path)[0, 6:8].tolist() == [-64, -64]
