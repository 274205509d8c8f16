"""Projective fits: each family fits its own tracks, and simpler ones do not."""

import numpy as np
import pytest

from tests.data.synthetic.objects import by_object
from trajvq.data.storage.shards import Columns
from trajvq.data.synthetic.motion import FAMILIES, Motion, families_named
from trajvq.data.synthetic.presets import PRESETS
from trajvq.data.synthetic.projective import MISFIT, evaluate_ratio, identifiable, misfit
from trajvq.data.synthetic.scene import lay_out, make_clips


@pytest.fixture(scope="module")
def clips() -> Columns:
    return make_clips(5, "train", 0, 200, 16, 64)


def test_every_family_fits_its_own_tracks_and_simpler_ones_do_not(clips: Columns) -> None:
    time, pixel = np.linspace(0, 1, 16), clips["pixel"][:, :, 0].astype(float)
    for label, motion in enumerate(FAMILIES):
        assert misfit(pixel[clips["label"] == label], time, motion).max() < 0.15
    turning = pixel[clips["label"] == 1]
    for motion in families_named(["linear", "parabolic"]):
        assert misfit(turning, time, motion).min() > MISFIT


@pytest.mark.parametrize(("preset", "count"), [("default", 200), ("scenes", 400)])
def test_at_least_nine_in_ten_objects_are_identifiable(preset: str, count: int) -> None:
    objects = by_object(lay_out(PRESETS[preset], 5, "train", 0, count, 16, 64))
    assert objects["identifiable"].mean() >= 0.9
    for label in range(4):
        assert objects["identifiable"][objects["label"] == label].mean() >= 0.8


def test_only_frames_that_show_the_object_make_it_identifiable() -> None:
    time = np.linspace(0, 1, 16)
    path = np.stack([10 + 40 * time, 32 + 15 * np.maximum(time - 0.6, 0)], axis=-1)[None]  # straight at first
    visible = np.arange(16)[None] < 10
    assert identifiable(path, time, ["parabolic"]).all()
    assert not identifiable(path, time, ["parabolic"], visible).any()
    assert not identifiable(path, time, ["linear"], np.arange(16)[None] < 7).any()


def test_a_track_of_an_unregistered_family_is_not_identifiable(clips: Columns) -> None:
    assert not identifiable(clips["pixel"][:1, :, 0].astype(float), np.linspace(0, 1, 16), ["something"]).any()


@pytest.mark.parametrize("motion", FAMILIES, ids=lambda motion: motion.name)
def test_the_jacobian_is_the_derivative_of_the_positions(motion: Motion) -> None:
    time, unknowns = np.linspace(0, 1, 16), 0.3 * np.random.default_rng(0).random((5, motion.unknowns))
    _, jacobian, _ = evaluate_ratio(motion, time, unknowns)
    for k, step in enumerate(1e-6 * np.eye(motion.unknowns)):
        after, before = (evaluate_ratio(motion, time, unknowns + sign * step)[0] for sign in (1, -1))
        np.testing.assert_allclose(jacobian[..., k], (after - before) / 2e-6, atol=1e-7)
