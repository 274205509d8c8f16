"""Raw chunks and the filter pipeline of HDF5 read and write the same bytes."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajvq.data.storage.chunks import direct, fletcher32, read_chunk, write_chunk
from trajvq.data.storage.shards import FILTER


def hdf5_checksum(raw: bytes, folder: Path) -> bytes:
    with h5py.File(folder / "one.h5", "w") as file:
        dataset = file.create_dataset("x", data=np.frombuffer(raw, np.uint8), chunks=(len(raw),), fletcher32=True)
        return bytes(dataset.id.read_direct_chunk((0,))[1][-4:])


@given(raw=st.binary(min_size=1, max_size=3000))
@settings(max_examples=60, deadline=None)
def test_the_checksum_is_that_of_hdf5(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    assert fletcher32(raw) == hdf5_checksum(raw, tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("raw", [b"\0" * 8, b"\xff" * 1440, b"\xff\xff", b"\0\0\xff\xff" * 400, b"\1"])
def test_the_checksum_of_edge_cases_is_that_of_hdf5(tmp_path: Path, raw: bytes) -> None:
    assert fletcher32(raw) == hdf5_checksum(raw, tmp_path)


def test_each_way_reads_what_the_other_wrote(tmp_path: Path) -> None:
    clips = np.random.default_rng(0).integers(0, 4, (3, 4, 3, 16, 16), dtype=np.uint8)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        raw = file.create_dataset("raw", clips.shape, "u1", chunks=(1, *clips.shape[1:]), **FILTER)
        for row, clip in enumerate(clips):
            write_chunk(raw, row, clip)
        filtered = file.create_dataset("filtered", data=clips, chunks=(1, *clips.shape[1:]), **FILTER)
        several = file.create_dataset("several", data=clips, chunks=(3, *clips.shape[1:]), **FILTER)
        assert direct(raw)
        assert direct(filtered)
        assert not direct(several)
        np.testing.assert_array_equal(raw[:], clips)
        out = np.empty_like(clips)
        for row in range(3):
            read_chunk(filtered, row, out[row])
        np.testing.assert_array_equal(out, clips)
        with pytest.raises(OSError, match="bytes of"):
            read_chunk(filtered, 0, np.empty((5, 3, 16, 16), np.uint8))
