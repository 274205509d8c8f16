"""Several objects share a camera: nearer ones are in front, some leave the picture, and `occluded` says which."""

import numpy as np
import pytest
from scipy import ndimage

from tests.data.synthetic.objects import by_object
from trajvq.data.storage.shards import Columns
from trajvq.data.synthetic.camera import depths
from trajvq.data.synthetic.placement import occlusion
from trajvq.data.synthetic.presets import PRESETS
from trajvq.data.synthetic.scene import lay_out, make_clips

SIZE = 64


@pytest.fixture(scope="module")
def clips() -> Columns:
    return make_clips(5, "train", 0, 120, 16, SIZE, "scenes")


def test_clips_have_one_to_four_objects_and_nothing_in_place_of_others(clips: Columns) -> None:
    exists = np.asarray(np.isfinite(clips["radius"][:, 0]))
    assert (np.bincount(exists.sum(axis=1), minlength=5)[1:] >= 12).all()
    assert (np.diff(exists.astype(int), axis=1) <= 0).all()
    for name in ("pixel", "position", "params"):
        values = np.moveaxis(clips[name], 2, 1) if name != "params" else clips[name]
        assert np.isnan(values[~exists]).all()
    assert not clips["color"][~exists].any()
    assert not clips["identifiable"][~exists].any()
    assert not clips["occluded"].swapaxes(1, 2)[~exists].any()
    assert (clips["equation"] == b"").tolist() == (~exists).tolist()


def test_an_object_that_is_not_occluded_is_seen_whole_and_by_itself(clips: Columns) -> None:
    visible = np.asarray(~clips["occluded"] & np.isfinite(clips["radius"]))
    assert 0.7 < visible.sum() / np.isfinite(clips["radius"]).sum() < 0.95
    foreground = np.asarray((clips["video"] < 250).any(axis=2))
    for clip, frame in np.argwhere(visible.any(axis=2)):
        labels, _ = ndimage.label(foreground[clip, frame], np.ones((3, 3)))
        for number in np.flatnonzero(visible[clip, frame]):
            x, y = np.floor(clips["pixel"][clip, frame, number]).astype(int)
            area = np.count_nonzero(labels == labels[y, x])
            radius = clips["radius"][clip, frame, number]
            assert labels[y, x] > 0
            assert np.pi * radius**2 <= area + 1 <= np.pi * (radius + 0.75) ** 2 + 2


def test_the_nearest_object_is_in_front(clips: Columns) -> None:
    depth = np.nan_to_num(depths(clips["position"], clips["camera"]), nan=np.inf)
    overlaps = 0
    for clip, frame in np.ndindex(depth.shape[:2]):
        nearest = int(depth[clip, frame].argmin())
        center = clips["pixel"][clip, frame, nearest]
        if (center < 1).any() or (center > SIZE - 1).any():
            continue
        x, y = np.floor(center).astype(int)
        assert clips["video"][clip, frame, :, y, x].tolist() == clips["color"][clip, nearest].tolist()
        others = np.delete(clips["pixel"][clip, frame], nearest, axis=0)
        overlaps += bool((np.linalg.norm(others - center, axis=-1) < 2).any())
    assert overlaps > 5


def test_some_objects_enter_or_leave_the_picture() -> None:
    objects = by_object(lay_out(PRESETS["scenes"], 5, "train", 0, 400, 16, SIZE))
    outside = np.asarray(((objects["pixel"] < 0) | (objects["pixel"] > SIZE)).any(axis=-1))
    assert objects["occluded"][outside].all()
    assert 0.1 < outside.any(axis=1).mean() < 0.3
    changes = np.diff(outside.astype(int), axis=1)
    assert (changes > 0).any(axis=1).sum() > 10  # leave
    assert (changes < 0).any(axis=1).sum() > 10  # enter
    assert outside.mean(axis=1).max() < 0.5


def test_objects_touch_where_their_pixels_are_neighbors() -> None:
    pixel = np.array([[[[20.0, 20.0], [20.0, 26.0], [50.0, 50.0], [np.nan, np.nan]]]])
    radius = np.array([[[2.0, 2.0, 2.0, np.nan]]])
    assert occlusion(pixel, radius, SIZE, SIZE)[0, 0].tolist() == [True, True, False, False]
    pixel[0, 0, 1, 1] = 27
    pixel[0, 0, 2, 0] = SIZE - 2
    assert occlusion(pixel, radius, SIZE, SIZE)[0, 0].tolist() == [False, False, True, False]
