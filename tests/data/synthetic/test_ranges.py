"""Clips lie in their split's ranges, measured from the stored ground truth alone."""

import colorsys

import numpy as np
import pytest

from trajvq.data.synthetic.presets import OOD, PRESETS
from trajvq.data.synthetic.ranges import inside
from trajvq.data.synthetic.scene import make_clips
from trajvq.io.arrays import Floats

SIZE = 64


def measured(split: str, preset: str = "default", count: int = 200) -> dict[str, Floats]:
    clips = make_clips(3, split, 0, count, 16, SIZE, preset)
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
    assert inside(PRESETS[preset].regions[split], measured(split, preset, 80), slack=0.006).all()


@pytest.mark.parametrize("preset", ["default", "seed200", "hard"])
@pytest.mark.parametrize("split", OOD)
def test_training_never_shows_what_is_withheld(preset: str, split: str) -> None:
    regions, withheld = PRESETS[preset].regions, measured(split, preset)
    assert not inside(regions["train"], withheld, slack=-0.006).any()
    assert not inside(regions[split], measured("train", preset), slack=-0.006).any()


@pytest.mark.parametrize("preset", ["default", "seed200", "hard"])
def test_withheld_ends_lie_on_both_sides(preset: str) -> None:
    band = PRESETS[preset].band
    for split, name, (low, high) in (
        ("ood_size", "size", band.size),
        ("ood_speed", "speed", band.speed),
        ("ood_color", "lightness", band.lightness),
    ):
        values = measured(split, preset)[name]
        assert 0.05 < np.mean(values < low) < 0.95
        assert np.all((values < low) | (values > high))
