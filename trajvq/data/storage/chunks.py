"""Clips straight to and from the chunks of an HDF5 dataset, past HDF5's own copying.

The bytes are those of HDF5's filters, zstd and then Fletcher's checksum, so any HDF5 program with the
zstd filter reads them; written and read so, a clip takes half and a third of the time.
"""

from typing import Any

import h5py
import numpy as np
import zstandard
from numpy.typing import NDArray

LEVEL = 1
ZSTD, FLETCHER32 = 32015, 3  # numbers of the filters in HDF5's registry
CHECKSUM = 4  # bytes

_compressor = zstandard.ZstdCompressor(level=LEVEL)
_decompressor = zstandard.ZstdDecompressor()


def fletcher32(data: bytes) -> bytes:
    """Return HDF5's Fletcher checksum: sums of big-endian words modulo 65535, stored little-endian."""
    words = np.frombuffer(data + b"\0" * (len(data) % 2), dtype=">u2").astype(np.int64)
    sums = int(words.sum()), int(words @ np.arange(len(words), 0, -1))
    low, high = ((total % 65535 or 65535) if total else 0 for total in sums)
    return (high << 16 | low).to_bytes(CHECKSUM, "little")


def write_chunk(dataset: h5py.Dataset, row: int, clip: NDArray[Any]) -> None:
    """Write one contiguous clip or picture, a chunk of its own, of a dataset made with both filters."""
    packed = _compressor.compress(clip.data)
    dataset.id.write_direct_chunk((row, *([0] * clip.ndim)), packed + fletcher32(packed))


def direct(dataset: h5py.Dataset) -> bool:
    """Say whether `read_chunk` can read a dataset: one clip a chunk, through both filters."""
    if dataset.chunks != (1, *dataset.shape[1:]):
        return False
    made = dataset.id.get_create_plist()
    return [made.get_filter(k)[0] for k in range(made.get_nfilters())] == [ZSTD, FLETCHER32]


def read_chunk(dataset: h5py.Dataset, row: int, out: NDArray[Any]) -> None:
    """Read one clip into a contiguous array. Its checksum is not looked at: whoever reads checks the clip's own.

    Raises:
        OSError: If the chunk is damaged.
    """
    mask, raw = dataset.id.read_direct_chunk((row, *([0] * out.ndim)))
    if mask:
        raise OSError("filters were left out")
    flat = out.reshape(-1).view(np.uint8)
    try:
        with _decompressor.stream_reader(raw[:-CHECKSUM]) as stream:
            size = stream.readinto(flat.data)
            if size != flat.size:
                raise OSError(f"{size} bytes of {flat.size}")
    except zstandard.ZstdError as error:
        raise OSError(str(error)) from None
