"""Objects of clips: real ones in the order of the truth, sampled ones as linked, and no frame is excused lightly."""

import numpy as np

from tests.metrics.sampling.paths import straight_paths
from trajvq.io.arrays import shown_in
from trajvq.metrics.sampling.objects import Objects, flat, without_gaps
from trajvq.metrics.tracking import Tracks

SIZE = (64, 64)


def tracks_of(pixel: np.ndarray, radius: float = 2.0) -> Tracks:
    """Return tracks of ``(N, T, K, 2)`` px, the objects that are there first."""
    present = shown_in(pixel)
    order = np.argsort(~present, axis=2, kind="stable")
    pixel = np.take_along_axis(pixel, order[..., None], axis=2)
    present = np.take_along_axis(present, order, axis=2)
    color = np.where(present[..., None], np.full((*present.shape, 3), 0.5), np.nan)
    return Tracks(pixel, np.where(present, radius, 0.0), color, present.sum(axis=2))


def two_apart() -> np.ndarray:
    """Return a clip ``(1, 16, 2, 2)`` of two objects that move side by side."""
    x = np.linspace(10, 54, 16)
    return np.stack([np.stack([x, np.full(16, y)], axis=-1) for y in (16.0, 48.0)], axis=1)[None]


def test_with_single_objects_a_second_one_hides_the_first() -> None:
    pixel = np.full((2, 16, 2, 2), np.nan)
    pixel[:, :, 0] = straight_paths(2, 0)
    pixel[1, 4, 1] = 5.0
    objects = Objects.of_samples(tracks_of(pixel), 1, SIZE)
    assert objects.clip.tolist() == [0, 1]
    present = shown_in(objects.pixel)
    assert present[0].all()
    assert np.flatnonzero(~present[1]).tolist() == [4]
    assert objects.valid.all()


def test_a_blank_sample_is_an_object_that_is_never_seen() -> None:
    for most in (1, 3):
        objects = Objects.of_samples(tracks_of(np.full((2, 16, 1, 2), np.nan)), most, SIZE)
        assert objects.clip.tolist() == [0, 1]
        assert not np.isfinite(objects.pixel).any()
        assert objects.valid.all()


def test_objects_keep_their_identity_and_more_than_there_may_be_hide_all() -> None:
    pixel = two_apart()
    pixel[0, ::2] = pixel[0, ::2, ::-1]  # the tracker orders by size alone
    objects = Objects.of_samples(tracks_of(pixel), 2, SIZE)
    assert objects.clip.tolist() == [0, 0]
    assert np.ptp(objects.pixel[..., 1], axis=1).max() == 0
    third = np.concatenate([pixel, np.full((1, 16, 1, 2), np.nan)], axis=2)
    third[0, 3, 2] = (32.0, 32.0)
    objects = Objects.of_samples(tracks_of(third), 2, SIZE)
    assert objects.clip.tolist() == [0, 0]
    assert not np.isfinite(objects.pixel[:, 3]).any()
    assert objects.valid[:, 3].all()


def test_vanishing_is_charged_and_leaving_the_picture_is_not() -> None:
    pixel = two_apart()
    pixel[0, 8:, 0] = np.nan  # in the middle of the picture
    pixel[0, 8:, 1] += np.stack([6 * np.arange(8), np.zeros(8)], axis=-1)
    pixel[0, :, 1][pixel[0, :, 1, 0] > 62] = np.nan  # at the edge
    objects = Objects.of_samples(tracks_of(pixel), 2, SIZE)
    missing = ~shown_in(objects.pixel)
    vanished = np.nanmin(objects.pixel[..., 1], axis=1) < 32
    assert missing.any(axis=1).all()
    assert objects.valid[vanished].all()
    assert (objects.valid == ~missing)[~vanished].all()


def test_touching_another_object_is_excused_while_it_lasts() -> None:
    x = np.linspace(10, 54, 16)
    pixel = np.stack(
        [np.stack([x, np.full(16, 32.0)], axis=-1), np.stack([x[::-1], np.full(16, 35.0)], axis=-1)], axis=1
    )
    pixel[7:9, 1] = np.nan  # one blob while they pass
    objects = Objects.of_samples(tracks_of(pixel[None]), 2, SIZE)
    passing = ~shown_in(objects.pixel[1])
    assert passing.sum() == 2
    assert (objects.valid[1] == ~passing).all()


def test_real_objects_follow_the_truth_and_surplus_hides_them() -> None:
    truth = two_apart()
    tracked = np.concatenate([truth[:, :, ::-1], np.full((1, 16, 1, 2), np.nan)], axis=2)
    tracked[0, 5, 2] = (5.0, 32.0)
    valid = np.ones(truth.shape[:3], dtype=bool)
    valid[0, 2:, 1] = False  # hardly to be seen
    objects = Objects.of_real(tracks_of(tracked), truth, valid)
    assert objects.clip.tolist() == [0]
    present = shown_in(objects.pixel)
    assert np.flatnonzero(~present[0]).tolist() == [5]
    np.testing.assert_array_equal(objects.pixel[present], flat(truth, valid)[present])


def test_gaps_are_bridged_by_lines_and_no_object_rests_in_the_middle() -> None:
    line = np.linspace([4.0, 8.0], [34.0, 38.0], 16)
    paths = np.stack([line, line, line])
    paths[1, 5:8] = paths[1, 0] = paths[2] = np.nan
    full = without_gaps(paths, (40, 60))
    np.testing.assert_allclose(full[0], line)
    np.testing.assert_allclose(full[1, 1:], line[1:])
    np.testing.assert_allclose(full[1, 0], line[1])
    assert np.unique(full[2], axis=0).tolist() == [[30.0, 20.0]]
