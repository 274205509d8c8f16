"""The oracle draws what the generator draws, and finds it again from the first frames."""

import numpy as np
import pytest

from trajvq.data.synthetic.camera import frame
from trajvq.data.synthetic.motion import FAMILIES, Motion
from trajvq.data.synthetic.presets import preset_named
from trajvq.data.synthetic.ranges import LOOK
from trajvq.data.synthetic.scene import lay_out
from trajvq.metrics.forecast.oracle import FIXED, Prior, forecast_true_family

PRESET = preset_named("default")


@pytest.mark.parametrize("motion", FAMILIES, ids=lambda motion: motion.name)
def test_paths_of_the_prior_are_those_of_the_generator(motion: Motion) -> None:
    prior = Prior(motion, PRESET.regions["test"], 16, 64)
    numbers = np.random.default_rng(0).random((5, len(prior.names)))
    drawn = {name: prior.ranges[name](np.full(5, 0.5)) for name in FIXED if name in prior.ranges}
    drawn |= {name: prior.ranges[name](numbers[:, k]) for k, name in enumerate(prior.names)}
    drawn["sense"] = -np.ones(5)
    look = {name: drawn.get(name, np.full(5, 0.5)) for name in LOOK} | {"size": np.full(5, prior.radius / 64)}
    params = motion.solve(drawn)
    view = frame(motion.position(params, np.linspace(0, 1, 16)), motion.view_axis(params), look, 64, 64)
    made = prior.paths(numbers, -np.ones(5), 20)
    np.testing.assert_allclose(made[:, :16], view.pixel, atol=2e-3)
    assert np.isfinite(made[:, 16:]).all()


def test_the_oracle_finds_the_rest_of_exact_paths_and_no_worse_than_the_noise_allows() -> None:
    clips = lay_out(PRESET, 3, "test", 0, 40, 16, 64)
    path = clips["pixel"].astype(float)
    family = [FAMILIES[k].name for k in clips["label"]]
    noise = np.random.default_rng(0).standard_normal(path[:, :8].shape)
    error = {}
    for size in (0.0, 0.25):
        made = forecast_true_family(path[:, :8] + size * noise, family, PRESET.regions["test"], 16, 16, 64)
        error[size] = np.linalg.norm(made - path[:, 8:], axis=-1).mean(axis=1)
    assert np.median(error[0.0]) < 0.02
    assert error[0.0].mean() < 0.5
    assert error[0.25].mean() < 3.0


def test_missing_places_are_bridged_and_nothing_comes_from_nothing() -> None:
    clips = lay_out(PRESET, 3, "test", 0, 4, 16, 64)
    path = clips["pixel"].astype(float)
    context = path[:, :8].copy()
    context[0], context[1, 3] = np.nan, np.nan
    family = [FAMILIES[k].name for k in clips["label"]]
    family[3] = "unheard of"
    made = forecast_true_family(context, family, PRESET.regions["test"], 16, 16, 64)
    assert np.isnan(made[[0, 3]]).all()
    assert np.linalg.norm(made[1] - path[1, 8:], axis=-1).max() < 0.5
