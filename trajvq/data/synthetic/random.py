"""Random numbers that depend on (seed, purpose, clip index) alone and are the same on every processor."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats

BLOCK = 4  # numbers per step of the counter of Philox


def raw_bits(seed: int, purpose: str, start: int, count: int) -> NDArray[np.uint64]:
    """Return numbers ``start`` to ``start + count`` of the stream of a purpose; ``start`` is a multiple of `BLOCK`."""
    assert start % BLOCK == 0
    key = int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:16], "little")
    bits = np.random.Philox(key=key)
    bits.advance(start // BLOCK)
    return np.asarray(bits.random_raw(count))


def uniforms(seed: int, purpose: str, start: int, stop: int, count: int) -> Floats:
    """Return ``(stop - start, count)`` uniform numbers in [0, 1) for clips ``start`` to ``stop``.

    ``count`` is a multiple of `BLOCK`.
    """
    raw = raw_bits(seed, purpose, start * count, (stop - start) * count)
    return (raw >> np.uint64(11)).astype(np.float64).reshape(-1, count) * 2.0**-53
