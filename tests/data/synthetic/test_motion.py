"""Position, equation, parameters and camera of a clip all say the same."""

import numpy as np
import pytest

from tests.equations import evaluate
from trajvq.data.storage.shards import Columns
from trajvq.data.synthetic.camera import project
from trajvq.data.synthetic.motion import FAMILIES
from trajvq.data.synthetic.projective import MISFIT, misfit
from trajvq.data.synthetic.scene import make_clips


@pytest.fixture(scope="module")
def clips() -> Columns:
    return make_clips(5, "train", 0, 200, 16, 64)


def test_equations_give_the_stored_positions(clips: Columns) -> None:
    for k, equation in enumerate(clips["equation"]):
        found = evaluate(equation.decode(), clips["time"][k].astype(float))
        np.testing.assert_allclose(found, clips["position"][k], atol=2e-5)


def test_parameters_give_the_stored_positions(clips: Columns) -> None:
    for label, motion in enumerate(FAMILIES):
        rows = clips["label"] == label
        params = clips["params"][rows][:, : len(motion.parameters())].astype(float)
        assert np.isnan(clips["params"][rows][:, len(motion.parameters()) :]).all()
        found = motion.position(params, np.linspace(0, 1, 16))
        np.testing.assert_allclose(found, clips["position"][rows], atol=1e-5)


def test_cameras_project_positions_to_the_stored_pixels(clips: Columns) -> None:
    pixel, depth = project(clips["position"].astype(float), clips["camera"].astype(float))
    np.testing.assert_allclose(pixel, clips["pixel"], atol=2e-3)
    # the nearer, the larger: radius times depth is the same in all frames
    scale = clips["radius"] * depth
    np.testing.assert_allclose(scale / scale[:, :1], 1, atol=2e-3)


def test_families_come_in_the_order_of_their_labels(clips: Columns) -> None:
    assert [motion.name for motion in FAMILIES] == ["linear", "circular", "helical", "parabolic"]
    assert np.bincount(clips["label"]).tolist() == [50, 50, 50, 50]


def test_descriptions_hold_the_numbers_of_the_clip(clips: Columns) -> None:
    radius = clips["radius"].mean(axis=1)
    for k, text in enumerate(clips["description"]):
        assert f"radius {radius[k]:.1f} px" in text.decode()
    assert len(set(clips["description"])) == len(clips["description"])


def test_every_family_fits_its_own_tracks_and_simpler_ones_do_not(clips: Columns) -> None:
    time, pixel = np.linspace(0, 1, 16), clips["pixel"].astype(float)
    for label, motion in enumerate(FAMILIES):
        assert misfit(pixel[clips["label"] == label], time, motion.name).max() < 0.15
    turning = pixel[clips["label"] == 1]
    assert misfit(turning, time, "linear").min() > MISFIT
    assert misfit(turning, time, "parabolic").min() > MISFIT


def test_at_least_nine_in_ten_clips_are_identifiable(clips: Columns) -> None:
    assert clips["identifiable"].mean() >= 0.9
    for label in range(4):
        assert clips["identifiable"][clips["label"] == label].mean() >= 0.8
