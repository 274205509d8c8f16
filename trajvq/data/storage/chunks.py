"""Write and read clips as raw chunks of an HDF5 dataset, bypassing the filter pipeline of HDF5.

The bytes are those of the HDF5 filters zstd and fletcher32, so any HDF5 program with the zstd filter can read them.
Compared with HDF5's own pipeline, writing a clip takes half the time and reading one a third.
"""

from typing import Any

import h5py
import numpy as np
import zstandard
from numpy.typing import NDArray

LEVEL = 1
ZSTD, FLETCHER32 = 32015, 3  # filter numbers in the HDF5 registry
CHECKSUM = 4  # bytes

_compressor = zstandard.ZstdCompressor(level=LEVEL)
_decompressor = zstandard.ZstdDecompressor()


def fletcher32(data: bytes) -> bytes:
    """Return the Fletcher checksum of HDF5: sums of big-endian words modulo 65535, stored little-endian."""
    words = np.frombuffer(data + b"\0" * (len(data) % 2), dtype=">u2").astype(np.int64)
    sums = int(words.sum()), int(words @ np.arange(len(words), 0, -1))
    low, high = ((total % 65535 or 65535) if total else 0 for total in sums)
    return (high << 16 | low).to_bytes(CHECKSUM, "little")


def write_chunk(dataset: h5py.Dataset, row: int, clip: NDArray[Any]) -> None:
    """Write one contiguous clip or picture as one chunk of a dataset that has both filters."""
    packed = _compressor.compress(clip.data)
    dataset.id.write_direct_chunk((row, *([0] * clip.ndim)), packed + fletcher32(packed))


def direct(dataset: h5py.Dataset) -> bool:
    """Return whether `read_chunk` can read a dataset: one clip per chunk, with exactly both filters."""
    if dataset.chunks != (1, *dataset.shape[1:]):
        return False
    properties = dataset.id.get_create_plist()
    return [properties.get_filter(k)[0] for k in range(properties.get_nfilters())] == [ZSTD, FLETCHER32]


def read_chunk(dataset: h5py.Dataset, row: int, out: NDArray[Any]) -> None:
    """Read one clip into a contiguous array, without checking the chunk's checksum: the caller checks ``crc32``.

    Raises:
        OSError: If the chunk is damaged.
    """
    mask, raw = dataset.id.read_direct_chunk((row, *([0] * out.ndim)))
    if mask:
        raise OSError("the chunk was written without filters")
    flat = out.reshape(-1).view(np.uint8)
    try:
        with _decompressor.stream_reader(raw[:-CHECKSUM]) as stream:
            size = stream.readinto(flat.data)
            if size != flat.size:
                raise OSError(f"{size} bytes of {flat.size}")
    except zstandard.ZstdError as error:
        raise OSError(str(error)) from None
