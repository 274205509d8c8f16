"""Which symmetries paths have: the way of a turn shows in whole paths alone."""

import numpy as np
import torch
from torch import Tensor

from trajvq.adaptation.path_symmetry import path_symmetry_ratios

FRAMES, SIDE = 8, 32


def clips(paths: Tensor) -> Tensor:
    """Return clips uint8 ``(N, T, 3, 32, 32)`` of a dot on each path ``(N, T, 2)`` px."""
    row, column = np.mgrid[:SIDE, :SIDE] + 0.5
    x, y = (paths[..., axis, None, None].numpy() for axis in (0, 1))
    inside = np.hypot(column - x, row - y) < 3
    return torch.from_numpy(np.where(inside, 0, 255).astype(np.uint8))[:, :, None].repeat(1, 1, 3, 1, 1)


def turns(count: int, directions: tuple[int, ...], seed: int = 0) -> Tensor:
    """Return paths ``(N, T, 2)`` of three quarters of a turn from any phase, in one of the directions each."""
    generator = torch.Generator().manual_seed(seed)
    phase, radius = (
        2 * np.pi * torch.rand(count, 1, generator=generator),
        6 + 4 * torch.rand(count, 1, generator=generator),
    )
    way = torch.tensor(directions)[torch.randint(len(directions), (count, 1), generator=generator)]
    angle = phase + way * 1.5 * np.pi * torch.linspace(0, 1, FRAMES)
    return 16 + radius[..., None] * torch.stack([angle.cos(), angle.sin()], dim=-1)


def test_paths_that_turn_either_way_have_every_symmetry() -> None:
    ratios = path_symmetry_ratios(clips(turns(128, (-1, 1))), None)
    assert ratios.keys() == {"columns", "rows", "transpose", "reverse"}
    assert min(ratios.values()) > 0.6


def test_paths_that_turn_one_way_have_no_mirrored_ones() -> None:
    assert max(path_symmetry_ratios(clips(turns(128, (1,))), None).values()) < 0.3


def test_one_class_without_a_symmetry_is_enough() -> None:
    paths, label = torch.cat([turns(96, (-1, 1)), turns(32, (1,), seed=1)]), torch.tensor([0] * 96 + [1] * 32)
    assert min(path_symmetry_ratios(clips(paths), None).values()) > 0.6
    assert max(path_symmetry_ratios(clips(paths), label).values()) < 0.3


def test_two_objects_and_few_clips_have_no_ratios() -> None:
    paths = turns(32, (-1, 1))
    assert path_symmetry_ratios(torch.minimum(clips(paths), clips(32 - paths)), None) == {}
    assert path_symmetry_ratios(clips(paths[:12]), None) == {}


def test_pictures_that_are_not_square_are_not_transposed() -> None:
    video = clips(turns(64, (-1, 1)))[..., 4:-4, :]
    assert path_symmetry_ratios(video, None).keys() == {"columns", "rows", "reverse"}
