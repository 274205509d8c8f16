"""Clips as stored (uint8) to clips as models take them (float), and back: the one place where that happens."""

import numpy as np
from torch import Tensor

from trajvq.io.arrays import Bytes


def to_float(video: Tensor) -> Tensor:
    """Return float32 ``(B, 3, T, H, W)`` in [0, 1] of stored clips, uint8 ``(B, T, 3, H, W)``, on their device."""
    return video.transpose(1, 2).float() / 255


def to_uint8(video: Tensor) -> Bytes:
    """Return stored clips, uint8 ``(B, T, 3, H, W)``, of float ``(B, 3, T, H, W)``; values beyond [0, 1] are clipped."""
    return np.asarray((video.clamp(0, 1) * 255).round().byte().transpose(1, 2).cpu().numpy())
