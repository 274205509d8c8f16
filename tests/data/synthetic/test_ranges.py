"""Clips lie in the ranges of their split, as measured from the stored ground truth."""

import colorsys
from functools import cache

import numpy as np
import pytest

from tests.data.synthetic.objects import by_object
from trajvq.data.synthetic.presets import OOD, PRESETS
from trajvq.data.synthetic.ranges import inside
from trajvq.data.synthetic.scene import lay_out
from trajvq.io.arrays import Floats

SIZE = 64


@cache
def measured(split: str, preset: str, count: int = 200) -> dict[str, Floats]:
    clips = by_object(lay_out(PRESETS[preset], 3, split, 0, count, 16, SIZE))
    steps = np.diff(clips["pixel"].astype(float), axis=1)
    hls = np.array([colorsys.rgb_to_hls(*(rgb / 255)) for rgb in clips["color"]])
    return {
        "size": clips["radius"].mean(axis=1) / SIZE,
        "speed": np.linalg.norm(steps, axis=-1).sum(axis=1) / SIZE,
        "direction": np.arctan2(steps[:, 0, 1], steps[:, 0, 0]) / (2 * np.pi) % 1,
        "hue": hls[:, 0],
        "lightness": hls[:, 1],
    }


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("split", ["train", "val", "test", *OOD])
def test_clips_lie_in_the_ranges_of_their_split(preset: str, split: str) -> None:
    regions, params = PRESETS[preset].regions[split], measured(split, preset)
    also = params | {"hue": np.where(params["hue"] == 0, 1.0, params["hue"])}  # pure red is at both ends
    assert (inside(regions, params, slack=0.006) | inside(regions, also, slack=0.006)).all()


@pytest.mark.parametrize("preset", ["default", "seed200", "hard", "scenes"])
@pytest.mark.parametrize("split", OOD)
def test_training_excludes_the_ranges_of_the_ood_splits(preset: str, split: str) -> None:
    regions, excluded = PRESETS[preset].regions, measured(split, preset)
    assert not inside(regions["train"], excluded, slack=-0.006).any()
    assert not inside(regions[split], measured("train", preset), slack=-0.006).any()


@pytest.mark.parametrize("preset", ["default", "seed200", "hard", "scenes"])
def test_ood_ranges_lie_on_both_sides_of_training(preset: str) -> None:
    band = PRESETS[preset].band
    for split, name, (low, high) in (
        ("ood_size", "size", band.size),
        ("ood_speed", "speed", band.speed),
        ("ood_color", "lightness", band.lightness),
    ):
        values = measured(split, preset)[name]
        assert 0.05 < np.mean(values < low) < 0.95
        assert np.all((values < low) | (values > high))
