"""The oracle knows the paths that the generator makes, and recovers one from its first frames."""

import numpy as np
import pytest

from trajvq.data.synthetic.camera import frame
from trajvq.data.synthetic.motion import FAMILIES, Motion
from trajvq.data.synthetic.presets import preset_named
from trajvq.data.synthetic.ranges import APPEARANCE
from trajvq.data.synthetic.scene import lay_out
from trajvq.metrics.forecast.oracle import Prior, forecast_true_family

PRESET = preset_named("default")


@pytest.mark.parametrize("motion", FAMILIES, ids=lambda motion: motion.name)
def test_paths_of_the_prior_are_those_of_the_generator(motion: Motion) -> None:
    prior = Prior(motion, PRESET.regions["test"], 16, 64)
    numbers = np.random.default_rng(0).random((5, len(prior.names)))
    sample = {name: prior.ranges[name](np.full(5, 0.5)) for name in motion.invariant}
    sample |= {name: prior.ranges[name](numbers[:, k]) for k, name in enumerate(prior.names)}
    sample["sense"] = -np.ones(5)
    appearance = {name: sample.get(name, np.full(5, 0.5)) for name in APPEARANCE}
    appearance["size"] = np.full(5, prior.radius / 64)
    params = motion.solve(sample)
    view = frame(motion.position(params, np.linspace(0, 1, 16)), motion.view_axis(params), appearance, 64, 64)
    paths = prior.paths(numbers, -np.ones(5), 20)
    np.testing.assert_allclose(paths[:, :16], view.pixel, atol=2e-3)
    assert np.isfinite(paths[:, 16:]).all()


def test_the_oracle_extrapolates_exact_and_noisy_paths() -> None:
    clips = lay_out(PRESET, 3, "test", 0, 40, 16, 64)
    path = clips["pixel"][:, :, 0].astype(float)
    family = [FAMILIES[k].name for k in clips["label"]]
    noise = np.random.default_rng(0).standard_normal(path[:, :8].shape)
    error = {}
    for size in (0.0, 0.25):
        forecast = forecast_true_family(path[:, :8] + size * noise, family, PRESET.regions["test"], 16, 16, 64)
        error[size] = np.linalg.norm(forecast - path[:, 8:], axis=-1).mean(axis=1)
    assert np.median(error[0.0]) < 0.02
    assert error[0.0].mean() < 0.5
    assert error[0.25].mean() < 3.0


def test_gaps_are_bridged_and_without_positions_or_family_there_is_no_forecast() -> None:
    clips = lay_out(PRESET, 3, "test", 0, 4, 16, 64)
    path = clips["pixel"][:, :, 0].astype(float)
    context = path[:, :8].copy()
    context[0], context[1, 3] = np.nan, np.nan
    family = [FAMILIES[k].name for k in clips["label"]]
    family[3] = "unheard of"
    forecast = forecast_true_family(context, family, PRESET.regions["test"], 16, 16, 64)
    assert np.isnan(forecast[[0, 3]]).all()
    assert np.linalg.norm(forecast[1] - path[1, 8:], axis=-1).max() < 0.5
