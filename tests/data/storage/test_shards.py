"""Shards are complete or absent, and damage is an error of one line."""

import hashlib
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.storage.shards import SCHEMA, Columns, check_columns, read_column, shard_name, write_shard
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD
from trajvq.data.synthetic.scene import make_clips
from trajvq.errors import DataError
from trajvq.io.files import file_sha256
from trajvq.metrics.dataset.verify import verify

SIZES = dict.fromkeys(OOD, 0) | {"train": 6, "val": 4, "test": 4}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    generate(folder, SIZES, frames=4, size=32)
    return folder


@pytest.fixture(scope="module")
def columns() -> Columns:
    return make_clips(0, "train", 0, 4, 4, 32)


def test_clips_are_read_as_they_were_written(small: Path) -> None:
    clips, columns = Clips(small, "train"), make_clips(0, "train", 0, 6, 4, 32)
    for k in (3, 0, 5):
        clip = clips[k]
        np.testing.assert_array_equal(clip["video"].numpy(), columns["video"][k])
        np.testing.assert_array_equal(clip["pixel"].numpy(), columns["pixel"][k])
        assert clip["label"] == columns["label"][k]
        assert clip["index"] == k


def test_a_shard_holds_every_column_of_the_schema(small: Path) -> None:
    with h5py.File(small / shard_name("train", 0)) as file:
        assert set(file) == set(SCHEMA)
        assert all(file[name].fletcher32 for name in file)
        assert file["video"].chunks == (1, 4, 3, 32, 32)


def test_a_missing_shard_is_named(small: Path) -> None:
    (small / shard_name("train", 0)).unlink()
    with pytest.raises(DataError, match=r"train-00000.h5 is missing"):
        Clips(small, "train")


def test_a_truncated_shard_is_refused(small: Path) -> None:
    path = small / shard_name("train", 0)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="bytes, but the manifest says"):
        Clips(small, "train")


def test_flipped_bits_in_pixels_are_always_detected(small: Path) -> None:
    path, clips = small / shard_name("train", 0), make_clips(0, "train", 0, 6, 4, 32)
    with h5py.File(path) as file:
        chunk = file["video"].id.get_chunk_info(2)
    raw = bytearray(path.read_bytes())
    for offset in range(0, chunk.size, max(chunk.size // 20, 1)):
        damaged = bytearray(raw)
        damaged[chunk.byte_offset + offset] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"clip 2 of split 'train'.*damaged"):
            Clips(small, "train")[2]
        np.testing.assert_array_equal(Clips(small, "train")[3]["video"].numpy(), clips["video"][3])


def test_a_changed_manifest_is_refused(small: Path) -> None:
    path = small / "manifest.json"
    content = json.loads(path.read_text())
    content["seed"] += 1
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="was changed"):
        read_manifest(small)
    path.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        read_manifest(small)


def test_an_unknown_split_is_refused_and_the_splits_are_listed(small: Path) -> None:
    with pytest.raises(DataError, match=r"no split 'trian'; it has: train, val, test"):
        Clips(small, "trian")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("label", np.zeros(4, np.int32), "type"),
        ("pixel", np.zeros((4, 4, 2), np.float32), "shape"),
        ("color", np.zeros((4, 2, 3), np.uint8), "shape"),
        ("radius", np.zeros((4, 5, 1), np.float32), "shape"),
        ("wavelength", np.zeros(4, np.float32), "unknown column"),
    ],
)
def test_columns_must_fit_the_schema(columns: Columns, name: str, value: np.ndarray, message: str) -> None:
    check_columns(columns)
    with pytest.raises(DataError, match=message):
        check_columns({**columns, name: value})


def test_a_failed_write_leaves_nothing(tmp_path: Path, columns: Columns, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trajvq.data.storage.shards.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_shard(tmp_path / "x.h5", columns)
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="No space left"):
        generate(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def as_version_1(folder: Path) -> None:
    """Rewrite a dataset of single objects in the first version of the format, without the axis of objects."""
    content = json.loads((folder / "manifest.json").read_text())
    for entries in content["splits"].values():
        for entry in entries:
            path = folder / entry["file"]
            with h5py.File(path) as file:
                columns = {name: file[name][:] for name in file}
            with h5py.File(path, "w") as file:
                for name, column in columns.items():
                    dimensions = SCHEMA[name][1]
                    axis = dimensions.index("K") + 1 if "K" in dimensions else None
                    file[name] = column if axis is None else column.squeeze(axis)
            entry |= {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    stored = {name: value for name, value in content.items() if name != "sha256"} | {"version": 1}
    identity = hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps({**stored, "sha256": identity}))


def test_folders_without_the_axis_of_objects_are_read_with_one_object(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small, tmp_path / "old")
    as_version_1(tmp_path / "old")
    new, old = Clips(small, "val"), Clips(tmp_path / "old", "val")
    assert (new.manifest.version, old.manifest.version) == (2, 1)
    for name, values in new.batch([2, 0]).items():
        assert torch.equal(values, old.batch([2, 0])[name]), name
    for name in SCHEMA:
        stored = read_column(tmp_path / "old", old.manifest, "val", name)
        np.testing.assert_array_equal(stored, read_column(small, new.manifest, "val", name))
    assert not [line for check in verify(tmp_path / "old") for line in check.faults]
