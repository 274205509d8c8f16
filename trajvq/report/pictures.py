"""Pictures as arrays: a title above one, and PNG files."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from trajvq.io.arrays import Bytes

TITLE_HEIGHT = 14  # pixels


def add_title(picture: Bytes, text: str) -> Bytes:
    """Return a picture uint8 ``(height, width, 3)`` with a line of text above it."""
    title = Image.new("RGB", (picture.shape[1], TITLE_HEIGHT), (255, 255, 255))
    ImageDraw.Draw(title).text((2, 1), text, fill=(0, 0, 0))
    return np.concatenate([np.asarray(title), picture], axis=0)


def save_png(picture: Bytes, path: Path) -> None:
    """Write uint8 ``(height, width, 3)`` as PNG. Missing folders are created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
