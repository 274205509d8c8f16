"""Archives of Moving MNIST become videos; archives that promise more than they hold are refused."""

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.data.imports.sources import movie
from trajvq.data.imports.archives import read_npz
from trajvq.data.imports.readers import read_collection
from trajvq.errors import DataError


def moving_mnist(path: Path, **changes: Any) -> Path:
    """Three videos of 6 and 4 frames, one after another."""
    frames = np.concatenate([movie(k, 10) for k in range(3)])[:, None, :, :, 0]
    starts = np.arange(3) * 10
    clips = np.stack([np.stack([starts, np.full(3, 6)], 1), np.stack([starts + 6, np.full(3, 4)], 1)])
    content = {"clips": clips.astype(np.int32), "dims": np.array([[1, 32, 32]]), "input_raw_data": frames}
    np.savez(path, **{**content, **changes})
    return path


def test_the_frames_of_moving_mnist_are_cut_where_its_index_says(tmp_path: Path) -> None:
    source = read_npz(moving_mnist(tmp_path / "train.npz"))
    assert [video.read()[..., 0].tolist() for video in source.videos] == [
        movie(k, 10)[..., 0].tolist() for k in range(3)
    ]
    assert source.notes == ("Moving MNIST's layout: 30 frames in a row are 3 videos of 10",)


@pytest.mark.parametrize(
    "clips",
    [
        np.array([[[0, 6], [10, 6]], [[6, 4], [16, 5]]]),
        np.array([[[0, 6], [10, 6]], [[7, 4], [17, 4]]]),
        np.array([[[0, 6], [25, 6]], [[6, 4], [31, 4]]]),
        np.zeros((2, 2)),
    ],
)
def test_an_index_that_does_not_fit_is_refused(tmp_path: Path, clips: np.ndarray) -> None:
    with pytest.raises(DataError, match="is not a readable .npz of plain arrays"):
        read_npz(moving_mnist(tmp_path / "train.npz", clips=clips))


def test_an_array_may_be_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", x_train=np.stack([movie(k) for k in range(5)]), x_test=np.stack([movie(0), movie(1)]))
    assert len(read_npz(tmp_path / "v.npz", array="x_train").videos) == 5


@pytest.mark.parametrize("label", [3, "walk"])
def test_the_label_of_one_video_may_be_a_scalar(tmp_path: Path, label: int | str) -> None:
    np.savez(tmp_path / "v.npz", video=movie(0), label=label)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["video"], file["label"] = movie(0), label
    for name in ("v.npz", "v.h5"):
        assert [video.label for video in read_collection(tmp_path / name).videos] == [label]


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_2_0(file, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 8, 8)})
    with zipfile.ZipFile(tmp_path / "v.npz", "w") as archive:
        archive.writestr("videos.npy", file.getvalue() + bytes(100))
    with pytest.raises(DataError, match="has only"):
        read_npz(tmp_path / "v.npz")
