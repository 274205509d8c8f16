"""The judge recognizes a motion from its points, and rejects points that follow none."""

import numpy as np
import pytest

from trajvq.data.storage.shards import Columns
from trajvq.data.synthetic.presets import PRESETS
from trajvq.data.synthetic.scene import lay_out
from trajvq.metrics.family_fits import fit_families
from trajvq.metrics.judge import NONE, Judge, calibrate, confusion

CLASSES = ("linear", "circular", "helical", "parabolic")


def clips(split: str, count: int = 120) -> Columns:
    return lay_out(PRESETS["default"], 0, split, 0, count, 16, 64)


@pytest.fixture(scope="module")
def val() -> Columns:
    return clips("val", 200)


@pytest.fixture(scope="module")
def test() -> Columns:
    return clips("test")


def positions(columns: Columns) -> np.ndarray:
    """Return the paths ``(N, T, 2)`` of clips of one object."""
    return np.asarray(columns["pixel"][:, :, 0], dtype=float)


def noisy(points: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    return points + sigma * np.random.default_rng(seed).normal(size=points.shape)


def judge_at(val: Columns, sigma: float) -> Judge:
    return calibrate(noisy(positions(val), sigma, 0), positions(val), val["label"], CLASSES)


@pytest.mark.parametrize(("sigma", "least"), [(0.0, 0.99), (0.02, 0.98), (0.2, 0.98)])
def test_true_and_noisy_points_are_judged_right(val: Columns, test: Columns, sigma: float, least: float) -> None:
    judge = judge_at(val, sigma)
    assert max(sigma, 1e-3) - 1e-9 <= judge.sigma <= max(1.5 * sigma, 1e-3) + 1e-9
    judged = judge.classify(noisy(positions(test), sigma, 1))
    assert np.mean(judged == test["label"]) >= least
    table = confusion(test["label"], judged, 4)
    assert table.sum() == len(judged)
    assert table.trace() == (judged == test["label"]).sum()


def test_a_class_is_its_index_in_the_manifest_and_no_other_family_is_fitted(val: Columns, test: Columns) -> None:
    judge = judge_at(val, 0.0)
    other = Judge(judge.sigma, judge.limits, ("parabolic", "something", "linear"))
    fits = fit_families(positions(test), other.classes)
    assert fits.families == ("linear", "parabolic")
    for name, number in (("parabolic", 0), ("linear", 2), ("helical", NONE)):
        rows = test["label"] == CLASSES.index(name)
        assert np.mean(other.choose(fits)[rows] == number) > 0.95
    assert other.as_json()["unjudged"] == ["something"]


def test_without_motion_families_nothing_is_judged(val: Columns) -> None:
    path = positions(val)
    judge = calibrate(path, path, val["label"], ("a", "b", "c", "d"))
    assert (judge.classify(path) == NONE).all()


def test_a_wrong_path_is_none(val: Columns, test: Columns) -> None:
    judge, points = judge_at(val, 0.1), noisy(positions(test), 0.1, 1)
    zigzag = points.copy()
    zigzag[:, ::2] += 2.0
    shuffled = points[:, np.random.default_rng(0).permutation(16)]
    jump = points.copy()
    jump[:, 8:] += 5.0
    for wrong in (zigzag, shuffled, jump):
        assert np.mean(judge.classify(wrong) == NONE) > 0.9


def test_a_noise_five_times_too_small_calls_everything_none(val: Columns, test: Columns) -> None:
    judged = judge_at(val, 0.02).classify(noisy(positions(test), 0.2, 1))
    assert np.mean(judged == NONE) > 0.9


def test_missing_points_are_left_out(val: Columns, test: Columns) -> None:
    judge, points = judge_at(val, 0.02), noisy(positions(test), 0.02, 1)
    points[:, 5:7] = np.nan
    fits = fit_families(points, CLASSES)
    assert (fits.points == 14).all()
    assert np.mean(judge.choose(fits) == test["label"]) > 0.98
    points[:, :9] = np.nan
    assert (judge.classify(points) == NONE).all()
    assert (judge.classify(np.full((3, 16, 2), np.nan)) == NONE).all()


def test_a_larger_family_never_fits_worse(test: Columns) -> None:
    fits = fit_families(noisy(positions(test), 0.3, 2), CLASSES)
    column = {name: number for number, name in enumerate(fits.families)}
    assert (fits.square[:, column["parabolic"]] <= fits.square[:, column["linear"]]).all()
    assert (fits.square[:, column["helical"]] <= fits.square[:, column["circular"]]).all()


def test_an_object_at_rest_follows_no_family(val: Columns) -> None:
    still = np.random.default_rng(0).normal(32, 0.1, (40, 16, 2))
    assert (judge_at(val, 0.1).classify(still) == NONE).all()


@pytest.mark.parametrize("frames", [8, 16, 32, 64])
def test_an_object_must_show_in_13_of_16_frames_whatever_their_number(frames: int) -> None:
    columns = lay_out(PRESETS["default"], 0, "val", 0, 20, frames, 64)
    path = positions(columns)
    judge, few = calibrate(path, path, columns["label"], CLASSES), -(-13 * frames // 16)
    for count, least, most in ((few, 0.9, 1.0), (few - 1, 0.0, 0.0), (frames // 2, 0.0, 0.0)):
        vanishing = path.copy()
        vanishing[:, count:] = np.nan
        assert least <= np.mean(judge.classify(vanishing) == columns["label"]) <= most
    if frames < 16:
        return
    occluded = np.zeros(path.shape[:2], dtype=bool)
    occluded[:, : frames // 4] = True
    hidden = np.where(occluded[..., None], np.nan, path)
    assert (judge.classify(hidden) == NONE).all()
    assert np.mean(judge.classify(hidden, ~occluded) == columns["label"]) > 0.9
    hidden[:, -(frames // 4) :] = np.nan
    assert (judge.classify(hidden, ~occluded) == NONE).all()


def test_occluded_frames_are_not_credited_either(val: Columns, test: Columns) -> None:
    judge, points = judge_at(val, 0.02), noisy(positions(test), 0.02, 1)
    points[:, 5] += 4.0
    valid = np.ones(points.shape[:2], dtype=bool)
    assert np.mean(judge.classify(points, valid) == NONE) > 0.9
    valid[:, 5] = False
    assert np.mean(judge.classify(points, valid) == test["label"]) > 0.98


def test_a_bad_frame_or_clip_of_val_changes_nothing_visible(val: Columns) -> None:
    points, truth, label = noisy(positions(val), 0.1, 0)[:100], positions(val)[:100], val["label"][:100]
    right = calibrate(points, truth, label, CLASSES)
    frame, clip = points.copy(), points.copy()
    frame[3, 5] += (20.0, 0.0)
    clip[3] += np.random.default_rng(5).normal(0, 1.0, (16, 2))
    for damaged in (frame, clip):
        wrong = calibrate(damaged, truth, label, CLASSES)
        assert wrong.sigma == pytest.approx(right.sigma, rel=0.05)
        for name, limit in right.limits.items():
            assert wrong.limits[name] == pytest.approx(limit, rel=0.05)


def test_a_fixed_sigma_judges_all_sources_alike(val: Columns, test: Columns) -> None:
    fixed, label = Judge.at(0.2, CLASSES, 16), test["label"][:60]
    for sigma, least, most in ((0.02, 0.95, 1.0), (0.2, 0.9, 1.0), (0.6, 0.0, 0.1)):
        assert least <= np.mean(fixed.classify(noisy(positions(test)[:60], sigma, 1)) == label) <= most
    rough = judge_at(val, 0.6)  # forgives its own noise, whatever that is
    assert np.mean(rough.classify(noisy(positions(test)[:60], 0.6, 1)) == label) > 0.7


def test_what_tracked_motions_deviate_from_their_family_counts_as_noise(val: Columns, test: Columns) -> None:
    truth, label, seed = positions(val)[:80], val["label"][:80], np.random.default_rng(3)
    bumpy = truth + 0.3 * seed.normal(size=truth.shape)  # no motion follows its equation, the tracker is exact
    assert calibrate(bumpy, bumpy, label, CLASSES).sigma < 0.01
    judge = calibrate(bumpy, bumpy, label, CLASSES, tracked=True)
    assert 0.2 < judge.sigma < 0.6
    points = positions(test)[:60] + 0.3 * seed.normal(size=(60, 16, 2))
    assert np.mean(judge.classify(points) == test["label"][:60]) > 0.85


def test_the_remarks_name_sigma_and_the_classes_that_are_not_judged(val: Columns) -> None:
    judge = judge_at(val, 0.2)
    (remark,) = judge.remarks
    assert "do not compare" in remark
    assert f"{judge.sigma:.3f} px, measured on val;" in remark
    lost = calibrate(np.full_like(positions(val), np.nan), positions(val), val["label"], CLASSES)
    assert "2.000 px, not measured, since no object of val is tracked;" in lost.remarks[0]
    assert "leave out dancing" in Judge(0.1, {}, ("linear", "dancing")).remarks[1]
    assert Judge(0.1, {}, ("a", "b")).remarks == [
        "no class match and no physics residual: no class (a, b) is a motion family"
    ]
