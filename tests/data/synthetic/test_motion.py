"""Position, equation, parameters and camera of a clip agree."""

import numpy as np
import pytest

from tests.data.synthetic.objects import by_object
from tests.equations import evaluate
from trajvq.data.storage.shards import Columns
from trajvq.data.synthetic.camera import project
from trajvq.data.synthetic.motion import FAMILIES, Motion, families_named, family
from trajvq.data.synthetic.presets import PRESETS
from trajvq.data.synthetic.scene import lay_out, make_clips


@pytest.fixture(scope="module", params=["default", "scenes"])
def clips(request: pytest.FixtureRequest) -> Columns:
    return by_object(lay_out(PRESETS[request.param], 5, "train", 0, 200, 16, 64))


def test_equations_give_the_stored_positions(clips: Columns) -> None:
    for k, equation in enumerate(clips["equation"]):
        position = evaluate(equation.decode(), clips["time"][k].astype(float))
        np.testing.assert_allclose(position, clips["position"][k], atol=2e-5)


def test_parameters_give_the_stored_positions(clips: Columns) -> None:
    for label, motion in enumerate(FAMILIES):
        rows = clips["label"] == label
        params = clips["params"][rows, : len(motion.parameters())].astype(float)
        assert np.isnan(clips["params"][rows, len(motion.parameters()) :]).all()
        position = motion.position(params, np.linspace(0, 1, 16))
        np.testing.assert_allclose(position, clips["position"][rows], atol=2e-5)


def test_cameras_project_positions_to_the_stored_pixels(clips: Columns) -> None:
    pixel, depth = project(clips["position"].astype(float), clips["camera"].astype(float))
    np.testing.assert_allclose(pixel, clips["pixel"], atol=2e-3)
    # The apparent radius is inversely proportional to the depth.
    scale = clips["radius"] * depth
    np.testing.assert_allclose(scale / scale[:, :1], 1, atol=2e-3)


def test_families_come_in_the_order_of_their_labels() -> None:
    assert [motion.name for motion in FAMILIES] == ["linear", "circular", "helical", "parabolic"]
    assert make_clips(5, "train", 2, 6, 4, 32)["label"].tolist() == [2, 3, 0, 1]


def test_descriptions_state_the_numbers_of_the_clip(clips: Columns) -> None:
    radius = clips["radius"].mean(axis=1)
    for k, text in enumerate(clips["description"]):
        assert f"radius {radius[k]:.1f} px" in text.decode()
    assert len(set(clips["description"])) == len(clips["description"])


def test_a_family_is_registered_once_and_has_a_coefficient_for_each_basis_function() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        family(type("Again", (type(FAMILIES[0]),), {}))
    with pytest.raises(ValueError, match="a coefficient for each"):
        family(type("Other", (type(FAMILIES[0]),), {"name": "other", "coefficients": ("start",)}))
    assert len(FAMILIES) == 4


def test_families_are_selected_by_name_with_the_fewest_unknowns_first() -> None:
    names = [motion.name for motion in families_named(["helical", "something", "parabolic", "linear", "circular"])]
    assert names == ["linear", "parabolic", "circular", "helical"]
    assert [motion.unknowns for motion in families_named(names)] == [5, 8, 9, 12]


@pytest.mark.parametrize("motion", FAMILIES, ids=lambda motion: motion.name)
def test_slopes_are_the_derivatives_of_the_basis_functions(motion: Motion) -> None:
    time, nonlinear = np.linspace(0, 1, 16), np.full((3, len(motion.nonlinear)), 6.0)
    np.testing.assert_allclose(motion.slopes(time, nonlinear), Motion.slopes(motion, time, nonlinear), atol=1e-8)


def test_basis_functions_without_an_evaluation_are_reported() -> None:
    other = type("Other", (type(FAMILIES[0]),), {"name": "other", "basis": ("1", "exp(t)")})()
    with pytest.raises(NotImplementedError, match=r"override functions to evaluate exp\(t\)"):
        other.position(np.zeros((1, 6)), np.linspace(0, 1, 4))
