"""Videos of a source that is to be imported, each read on demand."""

from collections.abc import Callable
from dataclasses import dataclass

from trajvq.data.imports.labels import Label
from trajvq.io.arrays import Bytes


@dataclass(frozen=True)
class Video:
    """One video, read on demand.

    Attributes:
        name: Name for messages.
        label: Class id or name, or None.
        read: Returns the frames, uint8 ``(T, H, W, 3)``.
    """

    name: str
    label: Label
    read: Callable[[], Bytes]


@dataclass(frozen=True)
class Collection:
    """All videos of a source.

    Attributes:
        videos: The videos.
        description: What was detected, in words.
        frames: Frames per video, if they are known to be the same for all.
    """

    videos: list[Video]
    description: str
    frames: int | None
