"""Decode video files, one frame at a time and upright."""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.collection import Clock, Video
from trajvq.data.imports.labels import Label
from trajvq.data.imports.levels import Levels
from trajvq.errors import DataError, first_line

VIDEO_FILES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts", ".gif")
UNEVEN = 0.25  # share of the typical time between frames by which a time may differ before it counts as uneven


def video_file(
    source: Path | io.BytesIO, name: str, levels: Levels, label: Label = None, split: str | None = None
) -> Video:
    """Return the video of a file, or of the bytes of one.

    Args:
        source: Path or content of the file.
        name: Name for messages.
        levels: Of the collection.
        label: Class name, or None.
        split: The split whose folder the file is in, or None.
    """
    clock = Clock()
    stored = partial(decode, source, name, clock)
    return Video(name, label, stored, levels, dtype=np.dtype(np.uint8), split=split, clock=clock)


def decode(source: Path | io.BytesIO, where: str, clock: Clock) -> Iterator[NDArray[Any]]:
    """Yield the frames of a video file, each uint8 ``(1, H, W, 3)``, turned upright where the file says how.

    Args:
        source: Path or content of the file.
        where: Name for messages.
        clock: Takes the times of the frames.

    Raises:
        DataError: If the file is not a video or is damaged, or if PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise DataError("video files need PyAV; install it with `pip install trajvq[import]`") from None
    if isinstance(source, io.BytesIO):
        source.seek(0)
    times: list[int] = []
    shape: tuple[int, ...] | None = None
    try:
        with av.open(str(source) if isinstance(source, Path) else source, mode="r") as container:
            rate = container.streams.video[0].average_rate
            clock.rate = float(rate) if rate else None
            for frame in container.decode(video=0):
                if frame.pts is not None:
                    times.append(frame.pts)
                picture = frame.to_ndarray(format="rgb24")
                turns = round(getattr(frame, "rotation", 0) / 90) % 4  # PyAV before 13 does not say
                picture = np.rot90(picture, turns) if turns else picture
                shape = shape or picture.shape
                if picture.shape != shape:
                    raise DataError(f"{where} changes its size from frame to frame; split it where it changes")
                yield picture[None]
    except (av.error.FFmpegError, IndexError, ValueError, OSError, MemoryError) as error:
        raise DataError(f"{where} is not a readable video ({first_line(error)})") from None
    if shape is None:
        raise DataError(f"{where} holds no frame")
    clock.uneven = _uneven(times)


def _uneven(times: list[int]) -> bool:
    """Return whether the times between frames differ by more than the rounding of a container."""
    steps = np.diff(np.sort(np.array(times)))
    if not len(steps):
        return False
    typical = np.median(steps)
    return bool((np.abs(steps - typical) > np.maximum(UNEVEN * typical, 1)).any())
