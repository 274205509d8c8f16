"""The best-fitting family extrapolates paths of every family, and never across a pole."""

import numpy as np

from trajvq.data.synthetic.presets import preset_named
from trajvq.data.synthetic.scene import lay_out
from trajvq.metrics.forecast.family import forecast_best_family

CLASSES = ("linear", "circular", "helical", "parabolic")


def test_exact_paths_are_followed_in_all_families() -> None:
    clips = lay_out(preset_named("default"), 3, "test", 0, 40, 16, 64)
    path, label = clips["pixel"][:, :, 0].astype(float), clips["label"]
    forecast = forecast_best_family(path[:, :8], 8, 16, 1e-3, CLASSES)
    error = np.linalg.norm(forecast - path[:, 8:], axis=-1).mean(axis=1)
    for family in range(4):
        assert np.median(error[label == family]) < 0.1
    noisy = path[:, :8] + np.random.default_rng(0).normal(0, 0.3, path[:, :8].shape)
    assert np.isfinite(forecast_best_family(noisy, 8, 16, 0.3, CLASSES)).all()


def test_few_positions_give_no_more_than_a_line() -> None:
    context = np.full((3, 4, 2), np.nan)
    context[1, 2] = 7.0
    context[2] = np.stack([np.arange(4.0), 2 * np.arange(4.0)], axis=-1)
    forecast = forecast_best_family(context, 3, 16, 0.1, [])
    assert np.isnan(forecast[0]).all()
    np.testing.assert_allclose(forecast[1], 7.0, atol=1e-6)
    np.testing.assert_allclose(forecast[2, :, 0], [4, 5, 6], atol=0.1)
