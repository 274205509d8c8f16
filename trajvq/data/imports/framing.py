"""What of a video's frames a clip shows: all of it, shrunk; a part; or one of several windows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from trajvq.errors import DataError
from trajvq.io.arrays import Bytes

Box = tuple[int, int, int, int]  # left, top, width, height in pixels


def fit_inside(frames: Bytes, height: int, width: int) -> Bytes:
    """Resize uint8 ``(T, H, W, 3)`` without distortion. Margins repeat the pixels of the border."""
    _, rows, columns, _ = frames.shape
    if (rows, columns) == (height, width):
        return frames
    inner = inner_size(rows, columns, height, width)
    small = np.stack([np.asarray(Image.fromarray(f).resize(inner[::-1], Image.Resampling.BOX)) for f in frames])
    down, across = height - inner[0], width - inner[1]
    around = ((0, 0), (down // 2, down - down // 2), (across // 2, across - across // 2), (0, 0))
    return np.pad(small, around, mode="edge")


def inner_size(rows: int, columns: int, height: int, width: int) -> tuple[int, int]:
    """Return the height and width that a frame takes after `fit_inside`."""
    scale = min(height / rows, width / columns)
    return max(round(rows * scale), 1), max(round(columns * scale), 1)


@dataclass(frozen=True)
class Framing:
    """How frames become the pictures of clips.

    Attributes:
        height: H of a clip, in pixels.
        width: W of a clip.
        crop: The part of a frame to use, in its own pixels; None for all of it.
        tile: Whether to cut that part into windows of the clip's size instead of shrinking it.
    """

    height: int
    width: int
    crop: Box | None = None
    tile: bool = False

    def check(self, rows: int, columns: int, name: str) -> None:
        """Check that frames of a size fit.

        Args:
            rows: Height of the frames in pixels.
            columns: Their width.
            name: Name of the video, for messages.

        Raises:
            DataError: If the part to use is not inside the frame, or smaller than a window.
        """
        if self.crop is not None:
            left, top, width, height = self.crop
            if left + width > columns or top + height > rows:
                raise DataError(
                    f"{name}: --crop {left},{top},{width},{height} (left, top, width, height) is not inside frames "
                    f"of {columns}x{rows}"
                )
            rows, columns = height, width
        if self.tile and (rows < self.height or columns < self.width):
            raise DataError(
                f"{name}: pictures of {columns}x{rows} are smaller than windows of {self.width}x{self.height}; "
                "give a smaller --size or leave out --tile"
            )

    def cropped(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the height and width of the part of a frame that is used."""
        return (rows, columns) if self.crop is None else (self.crop[3], self.crop[2])

    def frame(self, frames: Bytes) -> Bytes:
        """Return what is used of frames ``(T, H, W, 3)``: cropped and, unless it is cut into windows, resized."""
        if self.crop is not None:
            left, top, width, height = self.crop
            frames = frames[:, top : top + height, left : left + width]
        return frames if self.tile else fit_inside(frames, self.height, self.width)

    def windows(self, pictures: Bytes) -> Iterator[Bytes]:
        """Yield the windows of pictures ``(..., H, W, 3)`` from `frame`, row by row. Without ``tile`` that is all.

        What does not make a whole window is left out, in equal parts on both sides.
        """
        if not self.tile:
            yield pictures
            return
        rows, columns = pictures.shape[-3:-1]
        for top in range(rows % self.height // 2, rows - self.height + 1, self.height):
            for left in range(columns % self.width // 2, columns - self.width + 1, self.width):
                yield pictures[..., top : top + self.height, left : left + self.width, :]

    def describe(self, rows: int, columns: int) -> str:
        """Return what happens to frames of a size, in words; empty if they stay as they are."""
        height, width = self.cropped(rows, columns)
        words = [] if self.crop is None else [f"cropped to {width}x{height}"]
        if self.tile:
            down, across = height // self.height, width // self.width
            words.append(f"cut into {across} x {down} windows")
            if height % self.height or width % self.width:
                words.append(f"{width % self.width} columns and {height % self.height} rows at the edges are left out")
        elif (height, width) != (self.height, self.width):
            inner = inner_size(height, width, self.height, self.width)
            change = "shrunk" if inner[0] < height or inner[1] < width else "enlarged"
            words.append(f"{change} to {inner[1]}x{inner[0]}")
            if inner != (self.height, self.width):
                words.append("margins repeat the border")
        return ", ".join(words)
