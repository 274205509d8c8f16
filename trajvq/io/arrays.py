"""The types of arrays that pass between files, metrics and pictures. Needs no torch, so that commands start fast."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
