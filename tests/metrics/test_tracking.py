"""The tracker finds true objects to a few hundredths of a pixel, and nothing where there is nothing."""

import numpy as np
import pytest
import torch

from trajvq.data.synthetic.render import render_discs
from trajvq.data.synthetic.scene import make_clips
from trajvq.io.video import to_float
from trajvq.metrics.tracking import DiscTracker, Tracker, Tracks, join_tracks, track, track_clips


def plain(color: np.ndarray) -> np.ndarray:
    return color[:, None, :, None, None]


class CornerTracker:
    """A tracker of a user's own: it reports an object in the corner of every frame."""

    version = "corner-1"

    def __call__(
        self,
        video: np.ndarray,
        background: np.ndarray,
        contrast: np.ndarray | None = None,
        area: np.ndarray | None = None,
    ) -> Tracks:
        shape = video.shape[:2]
        pixel, radius, color = np.zeros((*shape, 1, 2)), np.ones((*shape, 1)), np.zeros((*shape, 1, 3))
        return Tracks(pixel, radius, color, np.ones(shape, dtype=np.int64))


@pytest.mark.parametrize("split", ["test", "ood_size", "ood_color", "ood_speed"])
def test_true_renders_are_tracked_to_hundredths_of_a_pixel(split: str) -> None:
    clips = make_clips(8, split, 0, 100, 16, 64)
    tracks = track(clips["video"], plain(clips["background"]))
    large = clips["radius"] >= 1.5
    error = np.linalg.norm(tracks.pixel - clips["pixel"], axis=-1)[large]
    assert error.mean() <= 0.03
    assert error.max() <= 0.15
    assert (tracks.count == 1).all()
    assert np.abs(tracks.radius - clips["radius"])[large].max() < 0.15
    assert np.abs(255 * tracks.color - clips["color"][:, None])[large].mean() < 2


def test_an_empty_frame_has_no_object() -> None:
    background = np.full((2, 1, 3, 32, 32), 200, dtype=np.uint8)
    video = np.repeat(background, 5, axis=1)
    tracks = track(video, background)
    assert not tracks.count.any()
    assert np.isnan(tracks.pixel).all()
    assert (tracks.radius == 0).all()


def test_components_do_not_join_across_frames_and_are_counted() -> None:
    video = np.zeros((1, 3, 3, 40, 40), dtype=np.uint8)
    paint = np.full((1, 3), 255, dtype=np.uint8)
    render_discs(video, np.full((1, 3, 2), 12.0), np.full((1, 3), 3.0), paint)
    render_discs(video[:, 1:2], np.full((1, 1, 2), 30.0), np.full((1, 1), 2.0), paint)
    tracks = track(video, np.zeros((1, 1, 3, 40, 40), dtype=np.uint8))
    assert tracks.count.tolist() == [[1, 2, 1]]
    np.testing.assert_allclose(tracks.pixel[:, :, 0], 12.0, atol=0.01)
    np.testing.assert_allclose(tracks.pixel[0, :, 1, 0], [np.nan, 30.0, np.nan], atol=0.01)


def test_specks_and_casts_are_no_objects() -> None:
    background = np.zeros((1, 1, 3, 40, 40), dtype=np.uint8)
    speck, cast = np.zeros((2, 1, 1, 3, 40, 40), dtype=np.uint8)
    speck[..., 7, 9] = 255
    cast[...] = 20
    contrast, area = np.array([[1.0]]), np.full((1, 1, 1), 20.0)
    assert track(speck, background, contrast, area).count.tolist() == [[0]]
    assert track(cast, background, contrast, area).count.tolist() == [[0]]
    assert track(speck, background, contrast, np.full((1, 1, 1), 2.0)).count.tolist() == [[1]]


def test_a_tracker_is_any_callable_with_a_version() -> None:
    assert isinstance(track, DiscTracker)
    assert isinstance(DiscTracker(), Tracker)
    assert isinstance(CornerTracker(), Tracker)
    assert not isinstance(make_clips, Tracker)


def test_clips_are_tracked_against_their_estimated_background_by_the_chosen_tracker() -> None:
    clips = make_clips(8, "test", 0, 6, 16, 64)
    video = to_float(torch.from_numpy(clips["video"]))
    tracks = track_clips(video)
    assert np.linalg.norm(tracks.pixel - clips["pixel"], axis=-1).mean() < 0.05
    assert (track_clips(video, CornerTracker()).pixel == 0).all()
    parts = join_tracks([track_clips(video[:2]), track_clips(video[2:])])
    np.testing.assert_array_equal(parts.pixel, tracks.pixel)
