"""Videos of a source that is to be imported, each read piece by piece, as often as needed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.labels import Label
from trajvq.data.imports.levels import Levels
from trajvq.io.arrays import Bytes

PIECE_BYTES = 2**25  # of the pixels that are read at a time, approximately


@dataclass
class Playback:
    """What files say of the frames of a video, known once it is read.

    Attributes:
        rate: Frames per second; None if the file does not say.
        tick: Seconds to which the times of frames are rounded.
        uneven: Whether the times between its frames differ.
        turned: Whether the frames were turned upright.
        stretched: Whether the frames were stretched, since their pixels are not square.
        transparent: Whether pixels are transparent, and shown over white.
        declared: Number of frames by the header; 0 if it does not say.
        duration: Seconds by the header; 0 if it does not say.
        decoded: Number of frames that were decoded.
    """

    rate: float | None = None
    tick: float = 0.0
    uneven: bool = False
    turned: bool = False
    stretched: bool = False
    transparent: bool = False
    declared: int = 0
    duration: float = 0.0
    decoded: int = 0


@dataclass
class Files:
    """The files of a folder.

    Attributes:
        total: Their number.
        left_out: Number of those left out by reason: an ending, or hidden.
    """

    total: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Video:
    """One video, read on demand.

    Attributes:
        name: Name for messages.
        label: Class id or name, or None.
        stored: Starts to read, and yields consecutive pieces of the frames as stored, ``(t, H, W, C)``.
        levels: How stored values become uint8; one object for all videos of a source.
        shape: T, H and W, if they are known without reading.
        dtype: Type of the stored values, if it is known without reading.
        split: The split whose folder the video is in, or None.
        playback: What its files say of its frames.
        group: Videos of the same group stay in one split, or are cut by time at the same moments; None for one on its
            own.
    """

    name: str
    label: Label
    stored: Callable[[], Iterator[NDArray[Any]]]
    levels: Levels
    shape: tuple[int, int, int] | None = None
    dtype: np.dtype[Any] | None = None
    split: str | None = None
    playback: Playback = field(default_factory=Playback)
    group: str | None = None

    def pieces(self) -> Iterator[Bytes]:
        """Yield the frames in consecutive pieces, uint8 ``(t, H, W, 3)``.

        Raises:
            DataError: If the video cannot be read, or its values do not fit.
        """
        for piece in self.stored():
            yield self.levels.convert(piece, self.name)

    def read(self) -> Bytes:
        """Return all frames, uint8 ``(T, H, W, 3)``. A long video may not fit into memory.

        Raises:
            DataError: As for `pieces`.
        """
        return np.concatenate(list(self.pieces()))


@dataclass(frozen=True)
class Collection:
    """All videos of a source.

    Attributes:
        videos: The videos.
        description: What was detected, in words.
        levels: How the stored values of the videos become uint8.
        frames: Frames per video, if they are known to be the same for all.
        notes: Further assumptions, one line each.
        unused: Shapes of the arrays of a file that are neither videos nor labels, by name.
        files: The files of a folder; None for other sources.
    """

    videos: list[Video]
    description: str
    levels: Levels
    frames: int | None = None
    notes: tuple[str, ...] = ()
    unused: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    files: Files | None = None


def piece_frames(frame_bytes: int) -> int:
    """Return how many frames to read at a time.

    Args:
        frame_bytes: Size of a frame in memory.
    """
    return int(np.clip(PIECE_BYTES // max(frame_bytes, 1), 1, 64))
