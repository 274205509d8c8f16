"""Every object of a target is looked for where it is; what is shown elsewhere, and clear, is surplus."""

import numpy as np
import pytest
import torch

from tests.scenes import scene
from trajvq.io.arrays import Bytes
from trajvq.io.video import to_float
from trajvq.metrics.matching import match
from trajvq.metrics.reconstruction.counterparts import Counterparts, find_counterparts
from trajvq.metrics.reconstruction.truth import Truth, truth_of
from trajvq.metrics.tracking import track

SIZE, FRAMES = 48, 2


def discs(*centers: tuple[float, float], radius: float = 4, level: int = 0) -> Bytes:
    """Return a clip uint8 ``(1, T, 3, H, W)`` of hard-edged discs on white."""
    row, column = np.indices((SIZE, SIZE)) + 0.5
    video = np.full((1, FRAMES, 3, SIZE, SIZE), 255, dtype=np.uint8)
    for x, y in centers:
        video[..., (row - y) ** 2 + (column - x) ** 2 <= radius**2] = level
    return video


def compared(target: Bytes, reconstruction: Bytes) -> tuple[Truth, Counterparts]:
    white = torch.full((1, 3), 255, dtype=torch.uint8)
    truth = truth_of({"video": to_float(torch.from_numpy(target)), "background": white})
    return truth, find_counterparts(truth, reconstruction)


@pytest.mark.parametrize("objects", [1, 2, 3, 4])
def test_the_tracker_is_accurate_on_true_renders(objects: int) -> None:
    columns = scene(12, objects, seed=1, frames=8)
    truth = truth_of(columns | {"video": to_float(columns["video"])})
    counterparts = find_counterparts(truth, truth.video)
    assert counterparts.matched[truth.valid].mean() >= 0.995
    assert counterparts.distance[truth.valid].mean() <= 0.03
    matches = match(track(truth.video, truth.background, truth.contrast, np.pi * truth.radius**2), truth.pixel)
    assert matches.matched[truth.valid].mean() >= 0.995
    assert np.linalg.norm(matches.tracks.pixel - truth.pixel, axis=-1)[truth.valid].mean() <= 0.03


def test_each_object_is_measured_by_itself() -> None:
    target = discs((10, 10), (36, 34))
    truth, counterparts = compared(target, discs((10, 12), (36, 34)))
    np.testing.assert_allclose(np.sort(counterparts.distance[0, 0]), [0, 2], atol=0.15)
    assert counterparts.surplus.tolist() == [[0, 0]]
    _, counterparts = compared(target, discs((10, 10)))
    assert np.sort(counterparts.matched[0, 0]).tolist() == [False, True]
    assert sorted(counterparts.radius[0, 0] > 0) == [False, True]
    assert truth.radius.shape == (1, FRAMES, 2)


def test_two_objects_that_come_back_as_one_component_are_divided() -> None:
    target = discs((14, 20), (26, 20))
    bridged = target.copy()
    bridged[..., 19:21, 17:23] = 0
    _, counterparts = compared(target, bridged)
    assert counterparts.matched.all()
    assert np.nanmax(counterparts.distance) < 1
    _, between = compared(target, discs((20, 20), radius=3))
    assert between.matched.sum(axis=2).max() <= 1


def test_one_object_that_comes_back_in_pieces_is_one_object() -> None:
    target = discs((20, 20), radius=6)
    cut = target.copy()
    cut[..., 20] = 255
    _, counterparts = compared(target, cut)
    assert counterparts.matched.all()
    assert counterparts.surplus.tolist() == [[0, 0]]
    assert counterparts.distance.max() < 0.5


@pytest.mark.parametrize(("level", "surplus"), [(0, 1), (120, 1), (240, 0)])
def test_what_the_target_does_not_have_is_surplus_if_it_is_clear(level: int, surplus: int) -> None:
    target = discs((10, 10))
    answer = np.minimum(target, discs((38, 38), level=level))
    _, counterparts = compared(target, answer)
    assert counterparts.surplus.tolist() == [[surplus, surplus]]
    assert counterparts.matched.all()


def test_an_object_drawn_where_the_target_has_none_is_surplus() -> None:
    empty = np.full_like(discs(), 255)
    truth, counterparts = compared(empty, discs((20, 20)))
    assert not truth.valid.any()
    assert counterparts.surplus.tolist() == [[1, 1]]
    assert find_counterparts(truth, empty).surplus.sum() == 0
    target = discs((20, 20))
    target[:, 0] = 255  # and in a single frame of a clip with an object
    assert compared(target, discs((20, 20)))[1].surplus.tolist() == [[1, 0]]


def test_a_large_object_does_not_hide_a_smaller_second_one() -> None:
    _, counterparts = compared(
        discs((14, 14), radius=10), np.minimum(discs((14, 14), radius=10), discs((40, 40), radius=3))
    )
    assert counterparts.surplus.tolist() == [[1, 1]]


@pytest.mark.parametrize(("share", "matched"), [(0.5, True), (0.2, False)])
def test_a_pale_object_is_matched_from_30_percent_of_its_contrast_on(share: float, matched: bool) -> None:
    target = discs((20, 20), level=55)
    pale = (255 - share * (255.0 - target)).astype(np.uint8)
    assert (compared(target, pale)[1].matched == matched).all()


def test_objects_may_be_lighter_or_darker_and_of_different_contrast() -> None:
    target = np.full_like(discs(), 128)
    for (x, y), level in {(10, 10): 255, (38, 10): 0, (24, 36): 60}.items():
        target = np.where(discs((x, y), level=1) == 1, level, target).astype(np.uint8)
    gray = torch.full((1, 3), 128, dtype=torch.uint8)
    truth = truth_of({"video": to_float(torch.from_numpy(target)), "background": gray})
    assert truth.valid.sum(axis=2).tolist() == [[3, 3]]
    counterparts = find_counterparts(truth, target)
    assert counterparts.matched.all()
    assert (counterparts.distance == 0).all()


def test_an_object_that_is_occluded_is_neither_charged_nor_surplus() -> None:
    columns = scene(4, 3, seed=2, frames=6)
    columns["occluded"] = torch.ones_like(columns["occluded"])
    truth = truth_of(columns | {"video": to_float(columns["video"])})
    assert not truth.valid.any()
    assert find_counterparts(truth, truth.video).surplus.sum() == 0


@pytest.mark.parametrize("level", [0, 128])
@pytest.mark.parametrize("stored", [True, False])
def test_a_picture_of_one_color_shows_no_object(level: int, stored: bool) -> None:
    columns = scene(4, 2, frames=4)
    batch = columns | {"video": to_float(columns["video"])}
    truth = truth_of(batch if stored else {name: batch[name] for name in ("video", "background")})
    counterparts = find_counterparts(truth, np.full_like(truth.video, level))
    assert not counterparts.matched[truth.valid].any()
    assert (counterparts.surplus >= 1).all()


def test_a_still_trail_shows_no_object() -> None:
    target = np.concatenate([discs((x, 24)) for x in (10, 16, 22, 28, 34)], axis=1)
    truth, counterparts = compared(target, np.repeat(target.min(axis=1, keepdims=True), target.shape[1], axis=1))
    assert not counterparts.matched[truth.valid].any()
    assert (counterparts.surplus[:, [0, 1, -2, -1]] == 1).all()


@pytest.mark.parametrize(("side", "matched"), [(12, True), (15, False)])
def test_an_object_of_more_than_its_area_divided_by_30_percent_is_not_matched(side: int, matched: bool) -> None:
    target, square = discs((24, 24), radius=4), discs()
    square[..., 24 - side // 2 : 24 + side - side // 2, 24 - side // 2 : 24 + side - side // 2] = 0
    assert compared(target, square)[1].matched.all() == matched


@pytest.mark.parametrize(("shift", "matched"), [(7, True), (9, False)])
def test_an_object_that_covers_its_place_is_matched_within_8_px_only(shift: int, matched: bool) -> None:
    target = discs((16, 24), radius=10)
    assert compared(target, discs((16 + shift, 24), radius=10))[1].matched.all() == matched
