"""Predicted clips are tracked against the true object, and each is collected once."""

from typing import Any

import numpy as np
import torch

from trajvq.data.synthetic.scene import make_clips
from trajvq.io.video import to_float
from trajvq.metrics.forecast.objects import Objects
from trajvq.metrics.forecast.predictions import ForecastPredictions, compare_frames, frame_figures
from trajvq.metrics.forecast.scoreboard import pad_or_cut
from trajvq.metrics.reconstruction.truth import Truth, truth_of


def test_true_frames_are_all_visible_and_blank_ones_are_not_even_beyond_the_clip() -> None:
    clips = make_clips(0, "test", 0, 4, 8, 32)
    batch = {name: torch.from_numpy(clips[name]) for name in ("pixel", "radius", "color", "background")}
    truth = truth_of(batch | {"video": torch.from_numpy(clips["video"]).transpose(1, 2).float() / 255})
    longer = np.concatenate([truth.video, truth.video[:, -1:]], axis=1)
    positions = np.concatenate([truth.pixel, truth.pixel[:, -1:]], axis=1)
    objects = Objects.in_context(np.isfinite(positions).all(axis=-1), 4)
    figures = frame_figures(truth, {"model": longer[:, 4:]}, positions, 4, objects)
    figures = {name.removeprefix("model/"): value for name, value in figures.items()}
    assert figures["visible"].shape == (4, 5)
    assert figures["visible"].all()
    assert np.abs(figures["pixel"] - positions[:, 4:, 0]).max() < 0.1
    assert figures["object_square_error"].sum() == 0
    assert (figures["object_pixels"][:, :4] > 0).all()
    assert not figures["object_pixels"][:, 4].any()
    assert not figures["square_error"][:, :4].any()
    np.testing.assert_allclose(figures["similarity"][:, :4], 1, atol=1e-6)
    assert np.isnan([figures[name][:, 4] for name in ("square_error", "similarity")]).all()
    longer[:, 6:] = 255
    figures = frame_figures(truth, {"blank": longer[:, 4:]}, positions, 4, objects)
    assert figures["blank/visible"].mean(axis=0).tolist() == [1, 1, 0, 0, 0]
    assert np.isnan(figures["blank/pixel"][:, 2:]).all()
    shifted = np.roll(truth.video, 2, axis=-1)
    figures = frame_figures(truth, {"model": shifted[:, 4:]}, positions[:, :8], 4, objects)
    error = figures["model/pixel"] - positions[:, 4:8, 0]
    np.testing.assert_allclose(error, np.full((4, 4, 2), [2.0, 0.0]), atol=0.1)


def test_a_second_object_is_neither_visible_nor_a_second_chance() -> None:
    truth = discs(np.array([[[16.0, 16.0]], [[16.0, 16.0]]]), radius=3.0)
    doubled = discs(np.array([[[16.0, 16.0], [40.0, 40.0]]] * 2), radius=3.0).video
    larger = discs(np.array([[[16.0, 16.0], [28.0, 16.0]]] * 2), radius=np.array([2.5, 3.5])).video
    objects = Objects.in_context(truth.valid, 1)
    for video, error in ((truth.video, 0.0), (doubled, 0.0), (larger, 12.0)):
        figures = frame_figures(truth, {"model": video[:, 1:]}, truth.pixel, 1, objects)
        assert figures["model/visible"].all() == (video is truth.video)
        distance = np.linalg.norm(figures["model/pixel"] - truth.pixel[:, 1:, 0], axis=-1)
        if video is not doubled:  # of two discs alike either may be the largest
            np.testing.assert_allclose(distance, error, atol=0.2)


def test_each_of_several_objects_is_followed_and_charged() -> None:
    truth = discs(np.array([[[16.0, 16.0], [48.0, 40.0]]] * 2), radius=3.0)
    moved = discs(np.array([[[16.0, 16.0], [48.0, 45.0]]] * 2), radius=3.0).video
    alone = discs(np.array([[[16.0, 16.0]]] * 2), radius=3.0).video
    objects = Objects.in_context(truth.valid, 1)
    assert (objects.clip.tolist(), objects.number.tolist()) == ([0, 0, 1, 1], [0, 1, 0, 1])
    figures = frame_figures(truth, {"model": moved[:, 1:], "blank": alone[:, 1:]}, truth.pixel, 1, objects)
    error = np.linalg.norm(figures["model/pixel"] - objects.take(truth.pixel)[:, 1:], axis=-1)
    np.testing.assert_allclose(error, [[0.0] * 3, [5.0] * 3] * 2, atol=0.1)
    assert figures["model/visible"].all()
    assert figures["blank/visible"].tolist() == [[1.0] * 3, [0.0] * 3] * 2
    assert np.isnan(figures["blank/pixel"][1::2]).all()


def test_an_object_that_is_first_visible_after_the_context_is_counted_but_not_forecast() -> None:
    valid = np.zeros((2, 5, 3), dtype=bool)
    valid[0, :, 0] = valid[1, 1:, 2] = True
    valid[0, 3:, 1] = True
    objects = Objects.in_context(valid, 2)
    assert (objects.clip.tolist(), objects.number.tolist()) == ([0, 1], [0, 2])
    assert objects.later.tolist() == [1, 0]


def test_an_object_that_is_hidden_throughout_the_context_is_not_charged() -> None:
    truth = discs(np.array([[[16.0, 16.0], [48.0, 40.0]]]), radius=3.0)
    valid = truth.valid.copy()
    valid[:, :2, 1] = False
    figures = compare_frames(truth, truth.pixel, valid, {"model": truth.video[:, 2:]}, 2, np.array([7]))
    assert (figures["clip"].tolist(), figures["object"].tolist(), figures["later"].tolist()) == ([7], [0], [1])


def discs(centers: np.ndarray, radius: Any) -> Truth:
    """Return the truth of clips of 4 equal frames of 64 x 64 pixels with black discs at ``(N, K, 2)`` px on white."""
    count, objects, _ = centers.shape
    y, x = np.mgrid[:64, :64] + 0.5
    sizes = np.broadcast_to(np.asarray(radius, dtype=float), (objects,))
    offsets = np.hypot(x - centers[..., :1, None], y - centers[..., 1:, None])  # (N, K, 64, 64)
    cover = (sizes[:, None, None] + 0.5 - offsets).clip(0, 1).max(axis=1)
    frame = (255 * (1 - cover)).round().astype(np.uint8)
    video = np.broadcast_to(frame[:, None, None], (count, 4, 3, 64, 64)).copy()
    batch = {
        "video": to_float(torch.from_numpy(video)),
        "background": torch.full((count, 3), 255, dtype=torch.uint8),
        "pixel": torch.from_numpy(np.repeat(centers[:, None], 4, axis=1)),
        "radius": torch.from_numpy(np.broadcast_to(sizes, (count, 4, objects)).copy()),
        "color": torch.zeros((count, objects, 3), dtype=torch.uint8),
    }
    return truth_of(batch)


def test_clips_and_objects_are_collected_once_and_in_order() -> None:
    predictions = ForecastPredictions()
    for clips, objects in (([3, 1], [(3, 0), (1, 0), (1, 1)]), ([0, 3], [(0, 0), (3, 0)])):
        clip, number = np.array(objects).T
        batch = {"index": torch.tensor(clips), "occupied": np.array(clips)[:, None] > 1}
        batch |= {"clip": clip, "object": number, "truth": np.array([10.0 * c + k for c, k in objects])[:, None]}
        predictions.update(batch)
    arrays = predictions.compute()
    assert arrays["index"].tolist() == [0, 1, 3]
    assert arrays["occupied"].tolist() == [[False], [False], [True]]
    assert arrays["clip"].tolist() == [0, 1, 1, 3]
    assert arrays["truth"].tolist() == [[0.0], [10.0], [11.0], [30.0]]
    assert pad_or_cut(arrays["truth"], 3).shape == (4, 3)


def test_clips_without_any_object_are_collected() -> None:
    predictions = ForecastPredictions()
    predictions.update({"index": np.array([1, 0]), "clip": np.zeros(0, np.int64), "object": np.zeros(0, np.int64)})
    arrays = predictions.compute()
    assert arrays["index"].tolist() == [0, 1]
    assert arrays["clip"].shape == (0,)
