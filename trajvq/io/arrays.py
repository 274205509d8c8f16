"""Types of the arrays that files, metrics and pictures exchange. Imports no torch, so that commands start fast."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
