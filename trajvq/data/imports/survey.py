"""Read a source before it is imported: which videos can be read, their sizes, lengths and backgrounds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from isal.isal_zlib import crc32

from trajvq.data.imports.background import Background, FrameSample, common_background, film_background
from trajvq.data.imports.collection import Collection, Video
from trajvq.data.imports.framing import Framing
from trajvq.errors import DataError
from trajvq.io.progress import progress

LONG = 4  # clips that a film needs for a background of its own: what rests for one of them is then no background
NAMED = 50  # unreadable videos that a message names
Result = TypeVar("Result")


class Survey:
    """Read videos, and set those aside that cannot be read.

    Args:
        source: The videos.
        where: Name of the source, for messages.
    """

    def __init__(self, source: Collection, where: str) -> None:
        self.videos, self.where = list(source.videos), where
        self.total = len(source.videos)
        self.bad: list[tuple[str, DataError]] = []

    def each(self, job: str, read: Callable[[Video], Result]) -> list[Result]:
        """Call a function for every video, and drop the videos for which it raises a `DataError`.

        Args:
            job: What it does, for the progress bar.
            read: The function.

        Returns:
            What it returned for the remaining `videos`.

        Raises:
            DataError: If no video remains.
        """
        results, remaining = [], []
        with progress(job, len(self.videos)) as advance:
            for video in self.videos:
                try:
                    results.append(read(video))
                    remaining.append(video)
                except DataError as error:
                    self.bad.append((video.name, error))
                advance(1)
        self.videos = remaining
        if not remaining:
            self.raise_bad()
        return results

    def raise_bad(self) -> None:
        """Raise an error that names all videos that could not be read, if there are any."""
        if not self.bad:
            return
        if self.total == 1:
            raise self.bad[0][1]
        more = f" and {len(self.bad) - NAMED} more" if len(self.bad) > NAMED else ""
        names = ", ".join(name for name, _ in self.bad[:NAMED])
        raise DataError(
            f"{self.where}: {len(self.bad)} of {self.total} videos cannot be imported: {names}{more}; the first, "
            f"because {self.bad[0][1]}; leave them out with --skip-bad"
        )


@dataclass(frozen=True)
class Film:
    """What is known of a video that has been read.

    Attributes:
        frames: Number of its frames.
        background: Its background; None if its camera is not fixed, or it is too short to tell.
        long: Whether it is long enough to tell.
        crc: CRC-32 of its pixels, to find videos that are the same.
        brightest: Largest value of its pixels, 0 to 255.
    """

    frames: int
    background: Background | None
    long: bool
    crc: int
    brightest: int


def first_size(video: Video) -> tuple[int, int, np.dtype[np.generic]]:
    """Return the height, the width and the stored type of the first frames of a video.

    Raises:
        DataError: If they cannot be read.
    """
    if video.shape is not None and video.dtype is not None:
        return (*video.shape[1:], video.dtype)
    for piece in video.stored():
        return (*piece.shape[1:3], piece.dtype)
    raise DataError(f"{video.name} holds no frame")


def observe_levels(video: Video) -> None:
    """Measure the values of a video for the scale of its source.

    Raises:
        DataError: If the video cannot be read.
    """
    video.levels.observe(video.stored(), video.name)


class FilmReader:
    """Read videos to the end. Frames of short ones are kept for a background that all of them may have in common.

    Args:
        framing: What of the frames is used.
        length: Frames per clip.
    """

    def __init__(self, framing: Framing, length: int) -> None:
        self.framing, self.length = framing, length
        self.pool, self.pooled = FrameSample(), 0  # frames of short videos, and the number of these videos

    def common_background(self) -> Background | None:
        """Return the background that the short videos have in common; None if they are too few to tell, or it fails."""
        return common_background(self.pool) if self.pooled >= LONG else None

    def read(self, video: Video) -> Film:
        """Return what is known of a video.

        Raises:
            DataError: If it cannot be read to its end.
        """
        sample, crc, brightest = FrameSample(), 0, 0
        for piece in video.pieces():
            if not sample.total:
                self.framing.check(piece.shape[1], piece.shape[2], video.name)
            crc, brightest = crc32(piece.data, crc), max(brightest, int(piece.max()))
            for k in range(len(piece)):
                sample.add(lambda: self.framing.frame(piece[k : k + 1])[0])  # noqa: B023  # called at once
        if sample.total >= LONG * self.length:
            return Film(sample.total, film_background(sample), True, crc, brightest)
        if sample.total >= self.length:
            self.pooled += 1
            for frame in sample.frames():
                self.pool.add(lambda: frame)  # noqa: B023  # called at once
        return Film(sample.total, None, False, crc, brightest)
