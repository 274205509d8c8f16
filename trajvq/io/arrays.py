"""Arrays that pass between files, metrics and models: their types, and uint8 to float and back, in one place."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


def as_model_input(video: Tensor) -> Tensor:
    """Turn uint8 ``(B, T, 3, H, W)`` into float32 ``(B, 3, T, H, W)`` in [0, 1], on its device."""
    return video.transpose(1, 2).float() / 255


def as_bytes(video: Tensor) -> NDArray[np.uint8]:
    """Turn float ``(B, 3, T, H, W)`` in [0, 1] into stored clips, uint8 ``(B, T, 3, H, W)``."""
    return np.asarray((video.clamp(0, 1) * 255).round().byte().transpose(1, 2).cpu().numpy())
