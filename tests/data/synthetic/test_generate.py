"""A preset and a seed determine the pixels of a dataset, whatever the number of clips and shards."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajvq.data.synthetic import plan
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.paths import UNIFORMS
from trajvq.data.synthetic.presets import OOD, PRESETS
from trajvq.data.synthetic.random import uniforms
from trajvq.data.synthetic.render import render_discs
from trajvq.data.synthetic.scene import lay_out, make_clips
from trajvq.errors import DataError


@given(start=st.integers(0, 5000), count=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_random_numbers_depend_on_the_index_alone(start: int, count: int) -> None:
    numbers = uniforms(7, "train", 0, start + count, UNIFORMS)
    np.testing.assert_array_equal(numbers[start:], uniforms(7, "train", start, start + count, UNIFORMS))


@pytest.mark.parametrize("preset", ["default", "scenes"])
def test_a_clip_does_not_depend_on_its_neighbors(preset: str) -> None:
    twelve = make_clips(2, "val", 0, 12, 16, 64, preset)
    for start, stop in ((5, 9), (6, 8), (11, 12)):
        part = make_clips(2, "val", start, stop, 16, 64, preset)
        for name in twelve:
            np.testing.assert_array_equal(twelve[name][start:stop], part[name])


def test_splits_and_seeds_differ() -> None:
    first = make_clips(0, "train", 0, 4, 16, 64)["video"]
    assert (first != make_clips(0, "val", 0, 4, 16, 64)["video"]).any()
    assert (first != make_clips(1, "train", 0, 4, 16, 64)["video"]).any()


def test_shards_do_not_change_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = dict.fromkeys(OOD, 0) | {"train": 8, "val": 0, "test": 0}
    one = generate(tmp_path / "one", sizes, frames=4, size=32)
    again = generate(tmp_path / "again", sizes, frames=4, size=32)
    assert one.sha256 == again.sha256
    monkeypatch.setattr(plan, "SHARD", 3)
    many = generate(tmp_path / "many", sizes, frames=4, size=32)
    assert [shard["clips"] for shard in many.splits["train"]] == [3, 3, 2]


@pytest.mark.parametrize(("frames", "size"), [(16, 64), (4, 32), (32, 64), (16, 128)])
def test_objects_stay_inside_the_frame(frames: int, size: int) -> None:
    for split in ("train", "ood_speed", "ood_size"):
        columns = lay_out(PRESETS["default"], 11, split, 0, 40, frames, size)
        margin = columns["radius"][..., None] + 0.5
        assert (columns["pixel"] - margin >= 0).all()
        assert (columns["pixel"] + margin <= size).all()


def test_discs_have_the_requested_area_and_center() -> None:
    video = np.zeros((1, 1, 3, 40, 40), dtype=np.uint8)
    render_discs(video, np.array([[[17.25, 21.5]]]), np.array([[4.0]]), np.array([[255, 255, 255]], dtype=np.uint8))
    cover = video[0, 0, 0] / 255
    rows, columns = np.mgrid[0:40, 0:40] + 0.5
    assert abs(cover.sum() - np.pi * 16) < 0.8
    assert abs((cover * columns).sum() / cover.sum() - 17.25) < 0.02
    assert abs((cover * rows).sum() / cover.sum() - 21.5) < 0.02


def test_classes_share_start_positions_and_colors() -> None:
    columns = lay_out(PRESETS["default"], 4, "train", 0, 2000, 16, 64)
    for label in range(4):
        rows = columns["label"] == label
        assert abs(columns["color"][rows].mean() - columns["color"].mean()) < 6
        assert np.abs(columns["pixel"][rows, 0, 0].mean(axis=0) - 32).max() < 2.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "nope"}, "unknown preset"),
        ({"size": 8}, "too small"),
        ({"frames": 1}, "too small"),
        ({"preset": "scenes", "frames": 3}, "least 4"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        generate(tmp_path / "x", **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_files_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        generate(tmp_path)
    assert (tmp_path / "precious").read_text() == "mine"
