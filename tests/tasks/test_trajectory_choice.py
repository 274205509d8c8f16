"""Trajectories are modeled where one object or several move steadily, and nowhere else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from trajvq.io.arrays import Bytes
from trajvq.metrics.tracking import Tracks, join_tracks, track
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


def later(frame: int) -> tuple[float, float] | None:
    return (3 + 2.5 * frame, 17.0) if frame > 2 else None


def flashing(frame: int) -> tuple[float, float] | None:
    return (4.0, 28.0) if frame % 3 == 0 else None


def blinking(frame: int) -> tuple[float, float] | None:
    return (28.0, 4.0) if frame % 3 == 1 else None


def seldom(frame: int) -> tuple[float, float] | None:
    return line(frame) if frame % 2 else None


@pytest.mark.parametrize(
    ("paths", "objects"),
    [
        ((line,), 1),
        ((circling,), 1),
        ((line, other), 2),
        ((line, other, later), 3),
        ((line, flashing, other), 2),
        ((jumping,), 0),
        ((anywhere,), 0),
        ((seldom,), 0),
        ((line, jumping), 0),
        ((line, flashing, blinking, other), 0),
        ((), 0),
    ],
    ids=["one", "circling", "two", "three", "flash", "jumping", "anywhere", "seldom", "one jumps", "flashes", "none"],
)
def test_only_steady_objects_are_modeled(
    paths: tuple[Callable[[int], tuple[float, float] | None], ...], objects: int
) -> None:
    choice = choose_trajectory(dots(*paths), 32, 32)
    assert choice.modeled == (objects > 0)
    assert choice.tracks.shape == (6 * choice.objects, 8, 2)
    assert ("trajectory: modeled" if objects else "trajectory: left out") in str(choice)
    if objects:
        assert choice.objects == objects
        assert (f"of up to {objects} objects" in str(choice)) == (objects > 1)


def test_clips_may_have_fewer_objects_than_others() -> None:
    one, two = dots(line).widened(2), dots(line, other)
    choice = choose_trajectory(join_tracks([one, two]), 32, 32)
    assert choice.modeled
    assert (choice.objects, choice.clips, len(choice.tracks)) == (2, 12, 18)


def test_more_than_eight_objects_are_too_many() -> None:
    tracks = torch.zeros(32, 8, 2)
    assert TrajectoryChoice(tracks, 4, 0.0, 1.0, objects=8).modeled
    assert not TrajectoryChoice(tracks, 4, 0.0, 1.0, objects=9).modeled


def test_it_looks_at_training_clips_as_their_tokens_show_them(dataset: Path, tokenizer: Path, here: Path) -> None:
    data, frozen = TokenDataModule(dataset), FrozenTokenizer(str(tokenizer))
    data.tokenizer = frozen
    choice = look_at(data, frozen)
    assert len(choice.tracks) == 32
    again = look_at(data, frozen)
    assert str(again) == str(choice)
    assert torch.equal(again.tracks.nan_to_num(9), choice.tracks.nan_to_num(9))
    assert not choice.modeled  # the tokenizer is not trained
    assert TrajectoryChoice(torch.zeros(32, 8, 2), 32, 0.95, 1.0).modeled
