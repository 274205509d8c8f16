"""A trajectory is modeled where exactly one object moves steadily, and nowhere else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from trajvq.io.arrays import Bytes
from trajvq.metrics.tracking import Tracks, track
from trajvq.tasks.trajectory_choice import TrajectoryChoice, choose_trajectory, look_at
from trajvq.tokens.datamodule import TokenDataModule
from trajvq.tokens.frozen import FrozenTokenizer

GROUND = np.full((6, 3, 32, 32), 255, dtype=np.uint8)


def dots(*paths: Callable[[int], tuple[float, float] | None]) -> Tracks:
    """Track six clips of eight frames in which a dot follows each path; None where there is no dot."""
    video = np.repeat(GROUND[:, None], 8, axis=1)
    row, column = np.mgrid[:32, :32] + 0.5
    for frame in range(8):
        for size, path in enumerate(paths):
            center = path(frame)
            if center is not None:
                inside = np.hypot(column - center[0], row - center[1]) < 2.5 + 0.5 * size
                video[:, frame, :, inside] = 0
    pictures: Bytes = video
    return track(pictures, GROUND[:, None])


def line(frame: int) -> tuple[float, float]:
    return 5 + 2.5 * frame, 9.0


def other(frame: int) -> tuple[float, float]:
    return 26 - 2.5 * frame, 24.0


def jumping(frame: int) -> tuple[float, float]:
    return (6.0, 6.0) if frame % 2 else (26.0, 24.0)


def circling(frame: int) -> tuple[float, float]:
    angle = 2 * np.pi * 1.25 * frame / 8  # its places lie 4.9 px from the middle of their neighbors
    return 16 + 11 * np.cos(angle), 16 + 11 * np.sin(angle)


def anywhere(frame: int) -> tuple[float, float]:
    x, y = np.random.default_rng(frame + 40).uniform(4, 28, 2)
    return float(x), float(y)


def seldom(frame: int) -> tuple[float, float] | None:
    return line(frame) if frame % 2 else None


@pytest.mark.parametrize(
    ("paths", "modeled"),
    [
        ((line,), True),
        ((circling,), True),
        ((line, other), False),
        ((jumping,), False),
        ((anywhere,), False),
        ((seldom,), False),
        ((), False),
    ],
    ids=["one", "circling", "two", "jumping", "anywhere", "seldom", "none"],
)
def test_only_one_steady_object_is_modeled(
    paths: tuple[Callable[[int], tuple[float, float] | None], ...], modeled: bool
) -> None:
    choice = choose_trajectory(dots(*paths), 32, 32)
    assert choice.modeled == modeled
    assert choice.tracks.shape == (6, 8, 2)
    assert ("trajectory: modeled" if modeled else "trajectory: left out") in str(choice)
    assert f"{choice.single:.0%} of the frames" in str(choice)


def test_it_looks_at_training_clips_as_their_tokens_show_them(dataset: Path, tokenizer: Path, here: Path) -> None:
    data, frozen = TokenDataModule(dataset), FrozenTokenizer(str(tokenizer))
    data.tokenizer = frozen
    choice = look_at(data, frozen)
    assert len(choice.tracks) == 32
    again = look_at(data, frozen)
    assert str(again) == str(choice)
    assert torch.equal(again.tracks.nan_to_num(9), choice.tracks.nan_to_num(9))
    assert not choice.modeled  # the tokenizer is not trained
    assert TrajectoryChoice(torch.zeros(32, 8, 2), 0.95, 1.0).modeled
