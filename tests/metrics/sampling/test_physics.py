"""Physics figures leave out classes that are no motion family, and measure every family against itself."""

from dataclasses import replace

import numpy as np
import pytest

from tests.metrics.sampling.paths import objects_of, straight_paths
from trajvq.metrics.sampling.objects import Objects
from trajvq.metrics.sampling.physics import Physics, object_count, visible_frames
from trajvq.metrics.scoreboard import value_of
from trajvq.metrics.tracking import Tracks

CLASSES = ("dancing", "linear", "parabolic")
LINEAR = 1


def wander(count: int) -> np.ndarray:
    return np.asarray(32 + np.random.default_rng(2).normal(0, 8, (count, 16, 2)))


def noisy_lines(count: int, seed: int, sigma: float = 0.1) -> np.ndarray:
    return straight_paths(count, seed) + np.random.default_rng((seed, 1)).normal(0, sigma, (count, 16, 2))


def physics_of(classes: tuple[str, ...], label: int) -> Physics:
    objects = objects_of(noisy_lines(60, 0))
    return Physics.calibrated(objects, straight_paths(60, 0), np.full(60, label), classes, tracked=False)


@pytest.fixture(scope="module")
def physics() -> Physics:
    return physics_of(CLASSES, LINEAR)


def test_samples_of_a_class_without_a_family_do_not_count(physics: Physics) -> None:
    points = noisy_lines(40, 3)
    alone = physics.figures(objects_of(points), np.full(40, LINEAR))
    assert value_of(alone["class_match"]) > 0.9
    assert alone["physics_residual"] == pytest.approx(1, abs=0.1)
    mixed = physics.figures(objects_of(np.concatenate([points, wander(40)])), np.repeat([LINEAR, 0], 40))
    assert mixed == alone
    assert physics.remarks[1] == "class match and physics residual leave out dancing: no motion family"
    rotated = physics.rotated(np.array([0, 1, 2]))
    assert rotated is not None
    assert rotated.tolist() == [0, 2, 1]  # among motion families alone


def test_without_any_family_there_is_no_figure_but_a_remark() -> None:
    physics = physics_of(("a", "b"), 0)
    assert physics.figures(objects_of(wander(10)), np.zeros(10, dtype=np.int64)) == {}
    assert physics.rotated(np.zeros(10, dtype=np.int64)) is None
    assert physics.remarks == ["no class match and no physics residual: no class (a, b) is a motion family"]


def test_one_family_has_no_other_to_be_rotated_to() -> None:
    physics = physics_of(("linear",), 0)
    assert physics.rotated(np.zeros(10, dtype=np.int64)) is None
    assert any("classes_rotated is left out" in remark for remark in physics.remarks)


def test_the_match_at_a_fixed_noise_does_not_depend_on_the_calibration(physics: Physics) -> None:
    rough = noisy_lines(60, 0, sigma=0.8)
    lenient = Physics.calibrated(objects_of(rough), straight_paths(60, 0), np.ones(60, np.int64), CLASSES, False)
    wobbly, target = objects_of(noisy_lines(40, 3, sigma=0.6)), np.full(40, LINEAR)
    strict, forgiving = physics.figures(wobbly, target), lenient.figures(wobbly, target)
    assert value_of(strict["class_match"]) < 0.1 < 0.9 < value_of(forgiving["class_match"])
    assert strict["class_match_at"] == forgiving["class_match_at"]
    assert value_of(strict["class_match_at"]) < 0.1


def test_a_missing_object_is_charged_and_its_residual_finite(physics: Physics) -> None:
    points = noisy_lines(40, 3)
    points[:, 10:] = np.nan
    figures = physics.figures(objects_of(points), np.full(40, LINEAR))
    assert value_of(figures["class_match"]) == 0
    assert 50 < figures["physics_residual"] < np.inf


def test_each_object_of_a_clip_counts_and_the_interval_is_of_clips(physics: Physics) -> None:
    points = np.concatenate([noisy_lines(20, 3), wander(20)])
    pairs = replace(objects_of(points), clip=np.arange(40) % 20)
    rate = physics.figures(pairs, np.full(20, LINEAR))["class_match"]
    assert rate["value"] == pytest.approx(0.5, abs=0.05)
    alone = physics.figures(objects_of(points), np.full(40, LINEAR))["class_match"]
    assert rate["high"] - rate["low"] > alone["high"] - alone["low"]


def test_an_object_at_rest_obeys_no_law(physics: Physics) -> None:
    still = 32 + np.random.default_rng(0).normal(0, 0.1, (40, 16, 2))
    figures = physics.figures(objects_of(still), np.full(40, LINEAR))
    assert value_of(figures["at_rest"]) == value_of(figures["none"]) == 1
    assert 50 < figures["physics_residual"] < np.inf
    assert value_of(physics.figures(objects_of(noisy_lines(40, 3)), np.full(40, LINEAR))["at_rest"]) < 0.05


def visible_of(count: np.ndarray, least: int, most: int) -> float:
    """Return the visible frames of clips with `count` objects a frame ``(N, T)``, all far from edge and each other."""
    pixel = np.full((*count.shape, 4, 2), np.nan)
    for number in range(4):
        pixel[count > number, number] = [16 + 32 * (number % 2), 16 + 32 * (number // 2)]
    radius = np.where(np.isfinite(pixel[..., 0]), 2.0, 0.0)
    tracks = Tracks(pixel, radius, np.full((*radius.shape, 3), 0.5), count)
    return visible_frames(Objects.of_samples(tracks, most, (64, 64)), count, least, most)["value"]


def test_frames_with_too_many_or_too_few_objects_are_not_visible() -> None:
    count = np.array([[1, 2, 0, 1], [1, 1, 1, 3]])
    assert visible_of(count, 1, 1) == 5 / 8
    assert visible_of(count, 1, 2) == 6 / 8
    assert visible_of(np.array([[1] * 4, [2] * 4, [3] * 4, [2, 2, 2, 1]]), 2, 2) == 7 / 16


def test_an_object_that_leaves_or_is_hidden_is_not_missing() -> None:
    pixel = np.full((1, 16, 2, 2), np.nan)
    pixel[0, :, 0] = np.linspace([8.0, 20.0], [56.0, 20.0], 16)
    pixel[0, :11, 1] = np.linspace([30.0, 40.0], [62.0, 40.0], 11)  # then it is outside
    tracks = Tracks(
        pixel, np.full((1, 16, 2), 2.0), np.full((1, 16, 2, 3), 0.5), np.isfinite(pixel[..., 0]).sum(axis=2)
    )
    assert visible_frames(Objects.of_samples(tracks, 2, (64, 64)), tracks.count, 2, 2)["value"] == 1


def test_a_generator_of_single_objects_shows_fewer_than_real_clips() -> None:
    real, single = np.random.default_rng(0).integers(1, 5, (100, 1)).repeat(16, axis=1), np.ones((100, 16), np.int64)
    assert visible_of(single, 1, 4) == 1  # which is why the count is another figure
    assert object_count(single, 4)["objects"]["high"] < object_count(real, 4)["objects"]["low"]
    assert object_count(single, 1) == {}
