"""Convert clips between their stored type (uint8) and the type of models (float)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Bytes

Size = int | tuple[int, int]  # of a picture in pixels: a square's side, or width and height

if TYPE_CHECKING:  # importing torch takes seconds, and imports of arrays do not need it
    from torch import Tensor


def height_and_width(size: Size) -> tuple[int, int]:
    """Return the height and the width of a size, which names the width first."""
    return (size, size) if isinstance(size, int) else (size[1], size[0])


def to_float(video: Tensor) -> Tensor:
    """Convert stored clips, uint8 ``(B, T, 3, H, W)``, to float32 ``(B, 3, T, H, W)`` in [0, 1] on the same device."""
    return bytes_to_float(video.transpose(1, 2))


def to_uint8(video: Tensor) -> Bytes:
    """Clip float clips ``(B, 3, T, H, W)`` to [0, 1] and convert them to stored clips, uint8 ``(B, T, 3, H, W)``."""
    return np.asarray(float_to_bytes(video).transpose(1, 2).cpu().numpy())


def bytes_to_float(video: Tensor) -> Tensor:
    """Convert uint8 values to float32 in [0, 1], with the same axes; floats keep their values."""
    return video.float() if video.is_floating_point() else video.float() / 255


def float_to_bytes(video: Tensor) -> Tensor:
    """Clip floats to [0, 1] and convert them to uint8, with the same axes."""
    return (video.clamp(0, 1) * 255).round().byte()


def array_to_uint8(video: NDArray[np.floating[Any]]) -> Bytes:
    """Convert a float array in [0, 1] to uint8, with the same axes."""
    return np.asarray(np.rint(video * 255).astype(np.uint8))
