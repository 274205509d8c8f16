"""Baselines of forecasting use the context alone, and more knowledge gives a lower error."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from trajvq.augment import PathSymmetries
from trajvq.data.synthetic.motion import FAMILIES
from trajvq.data.synthetic.placement import SCENE
from trajvq.data.synthetic.presets import preset_named
from trajvq.data.synthetic.scene import lay_out
from trajvq.metrics.forecast.baselines import Baselines, Paths
from trajvq.metrics.forecast.errors import forecast_figures_by_class
from trajvq.metrics.forecast.scoreboard import forecast_remarks

PRESET = preset_named("default")
CLASSES = [motion.name for motion in FAMILIES]


def paths(split: str, count: int, noise: float) -> Paths:
    clips, rng = lay_out(PRESET, 3, split, 0, count, 16, 64), np.random.default_rng(0)
    truth = clips["pixel"][:, :, 0].astype(float)
    tracked = [truth + size * rng.standard_normal(truth.shape) for size in (0.01, noise)]
    return Paths(
        truth, np.ones(truth.shape[:2], bool), tracked[0], tracked[1], clips["label"], clips["identifiable"][:, 0]
    )


@pytest.fixture(scope="module")
def baselines() -> Baselines:
    train = lay_out(PRESET, 3, "train", 0, 400, 16, 64)["pixel"][:, :, 0].astype(float)
    splits = {name: [dict(region) for region in regions] for name, regions in PRESET.regions.items()}
    return Baselines(train, paths("val", 40, 0.2), CLASSES, {"splits": splits}, (64, 64), 16)


def test_baselines_use_no_frame_beyond_the_context(baselines: Baselines) -> None:
    test = paths("test", 12, 0.2)
    predictions = baselines.predictions("test", test, 8, 8)
    later = {
        name: np.concatenate([getattr(test, name)[:, :8], np.full((12, 8, 2), -99.0)], axis=1)
        for name in ("truth", "tracked", "reconstructed")
    }
    again = baselines.predictions("test", replace(test, **later), 8, 8)
    assert list(predictions) == [
        *("velocity_2_points", "constant_velocity", "quadratic", "nearest_clip"),
        *("best_family_tracked", "best_family_reconstructed", "true_family_tracked", "true_family_reconstructed"),
    ]
    for name, predicted in predictions.items():
        assert predicted.shape == (12, 8, 2)
        np.testing.assert_array_equal(predicted, again[name], err_msg=name)


def test_more_knowledge_gives_a_lower_error(baselines: Baselines) -> None:
    test = paths("test", 40, 0.2)
    truth, valid = test.truth[:, 8:], test.valid[:, 8:]
    error = {
        name: forecast_figures_by_class(truth, valid, predicted, np.arange(40), test.label, CLASSES, test.identifiable)
        for name, predicted in baselines.predictions("test", test, 8, 8).items()
    }
    ade = {name: figures["ade"]["value"] for name, figures in error.items()}
    assert (
        ade["true_family_tracked"] < ade["true_family_reconstructed"] < ade["nearest_clip"] < ade["constant_velocity"]
    )
    assert ade["best_family_tracked"] < ade["quadratic"]
    assert error["quadratic"]["per_class"].keys() == set(CLASSES)


def test_clips_of_another_source_have_no_oracle(baselines: Baselines) -> None:
    predictions = replace(baselines, ranges={}).predictions("test", paths("test", 4, 0.2), 8, 8)
    assert "best_family_tracked" in predictions
    assert not any(name.startswith("true_family") for name in predictions)


def test_clips_of_several_objects_have_no_oracle_and_a_remark_says_so(baselines: Baselines) -> None:
    scenes = replace(baselines, ranges={**baselines.ranges, "appearance": dict.fromkeys(SCENE)})
    predictions = scenes.predictions("test", paths("test", 4, 0.2), 8, 8)
    assert "best_family_tracked" in predictions
    assert not any(name.startswith("true_family") for name in predictions)
    (remark,) = forecast_remarks(scenes, {"valid": np.ones((4, 16), bool)}, 8)
    assert remark.startswith("true_family_* are left out")
    assert forecast_remarks(baselines, {"valid": np.ones((4, 16), bool)}, 8) == []


def test_frames_in_which_an_object_cannot_be_seen_are_no_noise_of_the_tracker(baselines: Baselines) -> None:
    assert baselines.val is not None
    hidden = np.zeros(baselines.val.valid.shape, bool)
    hidden[:, ::4] = True
    tracked = np.where(hidden[..., None], baselines.val.truth + 1, baselines.val.tracked)
    touching = replace(baselines, val=replace(baselines.val, tracked=tracked, valid=~hidden))
    test = paths("test", 12, 0.2)
    predicted, clear = (each.predictions("test", test, 8, 8)["best_family_tracked"] for each in (touching, baselines))
    assert np.linalg.norm(predicted - clear, axis=-1).mean() < 0.01


def test_rotations_are_those_of_pixels_where_the_picture_is_no_square() -> None:
    train = np.random.default_rng(0).standard_normal((50, 10, 2)).cumsum(axis=1) / 20
    torch.manual_seed(0)
    moved = PathSymmetries().paths(torch.from_numpy(train), 32, 96).numpy()
    half = np.array([48.0, 16.0])
    clips = Paths((1 + moved) * half, np.ones((50, 10), bool), (1 + moved) * half, None)
    baselines = Baselines((1 + train) * half, None, CLASSES, {}, (32, 96), 10)
    np.testing.assert_allclose(baselines.predictions("test", clips, 6, 4)["nearest_clip"], clips.truth[:, 6:])
