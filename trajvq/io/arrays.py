"""Arrays that files, metrics and pictures exchange: their types, and where they show objects.

Imports no torch, so that commands start fast.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


def shown_in(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Return in which frames objects are shown, ``(...)``, from positions or colors ``(..., D)``, NaN where not."""
    return np.asarray(np.isfinite(values).all(axis=-1))


def visible_in(pixel: NDArray[np.floating[Any]], occluded: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return the same of stored positions ``(..., 2)`` px, without frames in which an object is occluded ``(...)``."""
    return shown_in(pixel) if occluded is None else shown_in(pixel) & ~occluded
