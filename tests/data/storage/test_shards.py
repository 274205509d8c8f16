"""Shards are complete or absent, and damage is an error of one line."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.storage.shards import SCHEMA, Columns, check_columns, shard_name, write_shard
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD
from trajvq.data.synthetic.scene import make_clips
from trajvq.errors import DataError

SIZES = dict.fromkeys(OOD, 0) | {"train": 6, "val": 4, "test": 4}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    generate(folder, SIZES, frames=4, size=32, progress=False)
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
        ("pixel", np.zeros((4, 4, 3), np.float32), "shape"),
        ("radius", np.zeros((4, 5), np.float32), "shape"),
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
        generate(tmp_path / "out", progress=False)
    assert not list(tmp_path.iterdir())
