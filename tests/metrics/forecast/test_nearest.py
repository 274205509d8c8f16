"""The row nearest_clip: the most similar path of the training clips, moved as the training moves it and no further."""

import numpy as np
import torch

from trajvq.augment import ClipSymmetries, ClipSymmetry, PathSymmetries
from trajvq.io.arrays import Floats
from trajvq.metrics.forecast.nearest import Moves, nearest_clip

ANYWHERE = Moves(anywhere=True)
SIZE = (48, 64)


def paths(count: int = 50) -> Floats:
    """Return ``(count, 10, 2)`` px."""
    return 30 + 3 * np.random.default_rng(0).standard_normal((count, 10, 2)).cumsum(axis=1)


def scaled(track: Floats, size: tuple[int, int]) -> torch.Tensor:
    return torch.from_numpy(track / [size[1] / 2, size[0] / 2] - 1)


def in_pixels(track: torch.Tensor, size: tuple[int, int]) -> Floats:
    return np.asarray((track.numpy() + 1) * [size[1] / 2, size[0] / 2])


def test_anywhere_it_is_found_under_every_rotation_of_a_picture_that_is_no_square() -> None:
    torch.manual_seed(0)
    moved = in_pixels(PathSymmetries().paths(scaled(paths(), SIZE), *SIZE), SIZE)
    np.testing.assert_allclose(nearest_clip(moved[:, :6], 4, paths(), ANYWHERE, SIZE), moved[:, 6:], atol=1e-5)
    assert np.abs(moved - paths()).max(axis=(1, 2)).min() > 1  # the paths did move


def test_anywhere_it_is_recognized_at_any_position_and_in_spite_of_gaps() -> None:
    context = paths()[[7, 30], :6] + [[[5.0, -3.0]]]
    context[1, 2] = np.nan
    later = nearest_clip(context, 4, paths(), ANYWHERE, SIZE)
    np.testing.assert_allclose(later, paths()[[7, 30], 6:] + [[[5.0, -3.0]]])


def test_otherwise_it_is_found_under_the_symmetries_and_shifts_of_the_augmentation() -> None:
    torch.manual_seed(0)
    names: list[ClipSymmetry] = ["columns", "rows", "transpose", "reverse"]
    augment = ClipSymmetries(names, 2)
    moved = in_pixels(augment.paths(scaled(paths(), (64, 64)), 64, 64), (64, 64))
    later = nearest_clip(moved[:, :6], 4, paths(), Moves(symmetries=names, shift=2), (64, 64))
    np.testing.assert_allclose(later, moved[:, 6:], atol=1e-5)
    rows_alone = nearest_clip(moved[:, :6], 4, paths(), Moves(symmetries=["rows"], shift=2), (64, 64))
    wrong = np.abs(rows_alone - moved[:, 6:]).max(axis=(1, 2)) > 1
    assert 0.5 < wrong.mean() < 1  # those that rows and shifts do not explain


def test_it_is_shifted_no_further_than_the_augmentation_shifts() -> None:
    context = paths()[:5, :6] + [[[5.0, -3.0]]]
    context[1, 2] = np.nan
    later = nearest_clip(context, 4, paths()[:5], Moves(shift=2), SIZE)
    best = np.abs(later - paths()[:5, 6:] - [[[2.0, -2.0]]]).max(axis=(1, 2)) < 1e-9
    assert best.any()
    np.testing.assert_allclose(nearest_clip(paths()[:5, :6], 4, paths()[:5], Moves(), SIZE), paths()[:5, 6:])


def test_a_circle_begun_at_another_angle_is_found_in_any_picture() -> None:
    angle = np.arange(16) / 4
    for size in ((64, 64), (64, 128)):
        center = np.array([size[1] / 2, 32.0])
        circle, later_on = (
            center + 12 * np.stack([np.cos(angle + phase), np.sin(angle + phase)], axis=-1)[None] for phase in (0, 1.6)
        )
        np.testing.assert_allclose(nearest_clip(circle[:, :8], 8, later_on, ANYWHERE, size), circle[:, 8:])


def test_pictures_that_are_not_square_are_not_transposed() -> None:
    turned = np.flip(paths(), axis=-1)
    for size, alike in (((64, 64), True), ((48, 64), False)):
        later = nearest_clip(turned[:, :6], 4, paths(), Moves(symmetries=["transpose"]), size)
        assert (np.abs(later - turned[:, 6:]).max() < 1e-9) == alike


def test_an_object_that_was_never_seen_has_no_forecast() -> None:
    context = np.full((1, 6, 2), np.nan)
    for moves in (ANYWHERE, Moves()):
        assert np.isnan(nearest_clip(context, 4, paths(), moves, SIZE)).all()
