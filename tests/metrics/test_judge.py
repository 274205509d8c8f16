"""The judge recognizes a motion from its points, and rejects points that follow none."""

import numpy as np
import pytest

from trajvq.data.storage.shards import Columns
from trajvq.data.synthetic.presets import PRESETS
from trajvq.data.synthetic.scene import lay_out
from trajvq.metrics.judge import NONE, Judge, calibrate, confusion, fit_families

CLASSES = ("linear", "circular", "helical", "parabolic")


def clips(split: str, count: int = 120) -> Columns:
    return lay_out(PRESETS["default"], 0, split, 0, count, 16, 64)


@pytest.fixture(scope="module")
def val() -> Columns:
    return clips("val", 200)


@pytest.fixture(scope="module")
def test() -> Columns:
    return clips("test")


def noisy(points: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    return points.astype(float) + sigma * np.random.default_rng(seed).normal(size=points.shape)


def judge_at(val: Columns, sigma: float) -> Judge:
    return calibrate(noisy(val["pixel"][:, :, 0], sigma, 0), val["pixel"][:, :, 0].astype(float), val["label"], CLASSES)


@pytest.mark.parametrize(("sigma", "least"), [(0.0, 0.99), (0.02, 0.98), (0.2, 0.98)])
def test_true_and_noisy_points_are_judged_right(val: Columns, test: Columns, sigma: float, least: float) -> None:
    judge = judge_at(val, sigma)
    assert max(sigma, 1e-3) <= judge.sigma <= max(1.5 * sigma, 1e-3)
    judged = judge.classify(noisy(test["pixel"][:, :, 0], sigma, 1))
    assert np.mean(judged == test["label"]) >= least
    table = confusion(test["label"], judged, 4)
    assert table.sum() == len(judged)
    assert table.trace() == (judged == test["label"]).sum()


def test_a_class_is_its_index_in_the_manifest_and_no_other_family_is_fitted(val: Columns, test: Columns) -> None:
    judge = judge_at(val, 0.0)
    other = Judge(judge.sigma, judge.limits, ("parabolic", "something", "linear"))
    fits = fit_families(test["pixel"][:, :, 0].astype(float), other.classes)
    assert fits.families == ("linear", "parabolic")
    for name, number in (("parabolic", 0), ("linear", 2), ("helical", NONE)):
        rows = test["label"] == CLASSES.index(name)
        assert np.mean(other.choose(fits)[rows] == number) > 0.95
    assert other.as_json()["unjudged"] == ["something"]


def test_without_motion_families_nothing_is_judged(val: Columns) -> None:
    path = val["pixel"][:, :, 0].astype(float)
    judge = calibrate(path, path, val["label"], ("a", "b", "c", "d"))
    assert (judge.classify(path) == NONE).all()


def test_a_wrong_path_is_none(val: Columns, test: Columns) -> None:
    judge, points = judge_at(val, 0.1), noisy(test["pixel"][:, :, 0], 0.1, 1)
    zigzag = points.copy()
    zigzag[:, ::2] += 2.0
    shuffled = points[:, np.random.default_rng(0).permutation(16)]
    jump = points.copy()
    jump[:, 8:] += 5.0
    for wrong in (zigzag, shuffled, jump):
        assert np.mean(judge.classify(wrong) == NONE) > 0.9


def test_a_noise_five_times_too_small_calls_everything_none(val: Columns, test: Columns) -> None:
    judged = judge_at(val, 0.02).classify(noisy(test["pixel"][:, :, 0], 0.2, 1))
    assert np.mean(judged == NONE) > 0.9


def test_missing_points_are_left_out(val: Columns, test: Columns) -> None:
    judge, points = judge_at(val, 0.02), noisy(test["pixel"][:, :, 0], 0.02, 1)
    points[:, 5:7] = np.nan
    fits = fit_families(points, CLASSES)
    assert (fits.points == 14).all()
    assert np.mean(judge.choose(fits) == test["label"]) > 0.98
    points[:, :9] = np.nan
    assert (judge.classify(points) == NONE).all()
    assert (judge.classify(np.full((3, 16, 2), np.nan)) == NONE).all()


def test_a_larger_family_never_fits_worse(test: Columns) -> None:
    fits = fit_families(noisy(test["pixel"][:, :, 0], 0.3, 2), CLASSES)
    column = {name: number for number, name in enumerate(fits.families)}
    assert (fits.square[:, column["parabolic"]] <= fits.square[:, column["linear"]]).all()
    assert (fits.square[:, column["helical"]] <= fits.square[:, column["circular"]]).all()
