"""Clips lie in their split's ranges, measured from the stored ground truth alone."""

import colorsys

import numpy as np
import pytest

from trajvq.data.generate import make_clips
from trajvq.data.ranges import REGIONS, Floats, inside

SIZE = 64


def measured(split: str, count: int = 200) -> dict[str, Floats]:
    clips = make_clips(3, split, 0, count, 16, SIZE)
    steps = np.diff(clips["pixel"].astype(float), axis=1)
    hls = np.array([colorsys.rgb_to_hls(*(rgb / 255)) for rgb in clips["color"]])
    return {
        "size": clips["radius"].mean(axis=1) / SIZE,
        "speed": np.linalg.norm(steps, axis=-1).sum(axis=1) / SIZE,
        "direction": np.arctan2(steps[:, 0, 1], steps[:, 0, 0]) / (2 * np.pi) % 1,
        "hue": hls[:, 0],
        "lightness": hls[:, 1],
    }


@pytest.mark.parametrize("split", sorted(REGIONS))
def test_clips_lie_in_the_ranges_of_their_split(split: str) -> None:
    assert inside(REGIONS[split], measured(split), slack=0.006).all()


@pytest.mark.parametrize("split", [s for s in REGIONS if s.startswith("ood_")])
def test_training_never_shows_what_is_withheld(split: str) -> None:
    withheld = measured(split)
    assert not inside(REGIONS["train"], withheld, slack=-0.006).any()
    assert not inside(REGIONS[split], measured("train"), slack=-0.006).any()


def test_withheld_ends_lie_on_both_sides() -> None:
    size, speed, light = (
        measured(f"ood_{n}")[k] for n, k in (("size", "size"), ("speed", "speed"), ("color", "lightness"))
    )
    for values, low, high in ((size, 0.028, 0.05), (speed, 0.36, 0.78), (light, 0.25, 0.6)):
        assert 0.05 < np.mean(values < low) < 0.95
        assert np.all((values < low) | (values > high))
