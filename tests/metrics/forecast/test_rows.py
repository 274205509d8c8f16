"""The ladder of rows: each sees the context alone, and knows what its name says."""

from dataclasses import replace

import numpy as np
import pytest

from trajvq.data.synthetic.motion import FAMILIES
from trajvq.data.synthetic.presets import preset_named
from trajvq.data.synthetic.scene import lay_out
from trajvq.metrics.forecast.errors import by_class, nearest_clip
from trajvq.metrics.forecast.rows import Baselines, Paths

PRESET = preset_named("default")
CLASSES = [motion.name for motion in FAMILIES]


def paths(split: str, count: int, noise: float) -> Paths:
    clips, chance = lay_out(PRESET, 3, split, 0, count, 16, 64), np.random.default_rng(0)
    truth = clips["pixel"].astype(float)
    seen = [truth + size * chance.standard_normal(truth.shape) for size in (0.01, noise)]
    return Paths(truth, np.ones(truth.shape[:2], bool), seen[0], seen[1], clips["label"], clips["identifiable"])


@pytest.fixture(scope="module")
def ladder() -> Baselines:
    known = lay_out(PRESET, 3, "train", 0, 400, 16, 64)["pixel"].astype(float)
    splits = {name: [dict(region) for region in regions] for name, regions in PRESET.regions.items()}
    return Baselines(known, paths("val", 40, 0.2), CLASSES, {"splits": splits}, (64, 64), 16)


def test_rows_see_no_frame_beyond_the_context(ladder: Baselines) -> None:
    asked = paths("test", 12, 0.2)
    made = ladder.predictions("test", asked, 8, 8)
    later = {
        name: np.concatenate([getattr(asked, name)[:, :8], np.full((12, 8, 2), -99.0)], axis=1)
        for name in ("truth", "tracked", "reconstructed")
    }
    again = ladder.predictions("test", replace(asked, **later), 8, 8)
    assert list(made) == [
        *("blank", "copy_last", "velocity_2_points", "constant_velocity", "quadratic", "nearest_clip"),
        *("best_family_tracked", "best_family_reconstructed", "true_family_tracked", "true_family_reconstructed"),
    ]
    for name, found in made.items():
        assert found.shape == (12, 8, 2)
        np.testing.assert_array_equal(found, again[name], err_msg=name)


def test_who_knows_more_is_better(ladder: Baselines) -> None:
    asked = paths("test", 40, 0.2)
    error = {
        name: by_class(asked.truth[:, 8:], asked.valid[:, 8:], made, asked.label, CLASSES, asked.identifiable)
        for name, made in ladder.predictions("test", asked, 8, 8).items()
    }
    ade = {name: found["ade"]["value"] for name, found in error.items()}
    assert ade["true_family_tracked"] < ade["true_family_reconstructed"] < ade["nearest_clip"] < ade["copy_last"]
    assert ade["best_family_tracked"] < ade["quadratic"]
    assert error["copy_last"]["per_class"].keys() == set(CLASSES)
    assert ade["copy_last"] < ade["blank"] == pytest.approx(32)


def test_clips_that_the_generator_did_not_make_have_no_oracle(ladder: Baselines) -> None:
    made = replace(ladder, ranges={}).predictions("test", paths("test", 4, 0.2), 8, 8)
    assert "best_family_tracked" in made
    assert not any(name.startswith("true_family") for name in made)


def test_the_nearest_clip_is_found_wherever_it_is() -> None:
    known = np.random.default_rng(0).standard_normal((50, 10, 2)).cumsum(axis=1)
    context = known[[7, 30], :6] + [[[5.0, -3.0]]]
    context[1, 2] = np.nan
    np.testing.assert_allclose(nearest_clip(context, 4, known), known[[7, 30], 6:] + [[[5.0, -3.0]]])
