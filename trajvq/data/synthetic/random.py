"""Random numbers of a clip: they come from (seed, purpose, clip index) alone, on every processor."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats

BLOCK = 4  # numbers that one step of Philox's counter yields


def raw_bits(seed: int, purpose: str, start: int, count: int) -> NDArray[np.uint64]:
    """Return numbers ``start`` to ``start + count`` of a purpose's stream; ``start`` a multiple of `BLOCK`."""
    assert start % BLOCK == 0
    key = int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:16], "little")
    bits = np.random.Philox(key=key)
    bits.advance(start // BLOCK)
    return np.asarray(bits.random_raw(count))


def uniforms(seed: int, purpose: str, start: int, stop: int, each: int) -> Floats:
    """Return ``(stop - start, each)`` uniform numbers in [0, 1) for clips start to stop; a multiple of 4 each."""
    raw = raw_bits(seed, purpose, start * each, (stop - start) * each)
    return (raw >> np.uint64(11)).astype(np.float64).reshape(-1, each) * 2.0**-53
