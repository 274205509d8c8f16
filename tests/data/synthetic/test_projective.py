"""Projective fits: each family fits its own tracks, and simpler ones do not."""

import numpy as np
import pytest

from trajvq.data.storage.shards import Columns
from trajvq.data.synthetic.motion import FAMILIES, Motion, families_named
from trajvq.data.synthetic.projective import MISFIT, evaluate_ratio, identifiable, misfit
from trajvq.data.synthetic.scene import make_clips


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


def test_at_least_nine_in_ten_clips_are_identifiable(clips: Columns) -> None:
    assert clips["identifiable"].mean() >= 0.9
    for label in range(4):
        assert clips["identifiable"][clips["label"] == label].mean() >= 0.8


def test_a_track_of_an_unregistered_family_is_not_identifiable(clips: Columns) -> None:
    assert not identifiable(clips["pixel"][:1, :, 0].astype(float), np.linspace(0, 1, 16), ["something"]).any()


@pytest.mark.parametrize("motion", FAMILIES, ids=lambda motion: motion.name)
def test_the_jacobian_is_the_derivative_of_the_positions(motion: Motion) -> None:
    time, unknowns = np.linspace(0, 1, 16), 0.3 * np.random.default_rng(0).random((5, motion.unknowns))
    _, jacobian, _ = evaluate_ratio(motion, time, unknowns)
    for k, step in enumerate(1e-6 * np.eye(motion.unknowns)):
        after, before = (evaluate_ratio(motion, time, unknowns + sign * step)[0] for sign in (1, -1))
        np.testing.assert_allclose(jacobian[..., k], (after - before) / 2e-6, atol=1e-7)
