"""Decide which background every clip gets: that of its film, one that short films have in common, or its own median.

T frames, H rows, W columns.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from trajvq.data.imports.background import Background, median
from trajvq.data.imports.plurals import counted
from trajvq.data.imports.survey import LONG, Film
from trajvq.io.arrays import Bytes


class ClipBackgrounds:
    """The backgrounds of a source's clips.

    They are stored if some camera is fixed, or if the short films have one background in common. Films of less than
    `LONG` clips are short: what rests for one of them would be background. All of them together may show one, as clips
    of one scene or on one plain color do. If they do not, their clips get their own median where backgrounds are
    stored, as those of a moving camera do.

    Args:
        names: Names of the videos.
        films: What is known of each.
        common: The background that the short ones have in common, if any.
    """

    def __init__(self, names: Sequence[str], films: Sequence[Film], common: Background | None) -> None:
        self.films = films
        self.common = common
        self.moving = [name for name, film in zip(names, films, strict=True) if film.long and film.background is None]
        self.fixed = sum(film.background is not None for film in films)
        self.short = len(films) - self.fixed - len(self.moving)
        self.stored = self.fixed > 0 or self.common is not None
        self.unlike = 0  # clips of short videos that do not show the common background

    def of_clip(self, video: int, pictures: Bytes) -> Bytes | None:
        """Return the background of a clip, uint8 ``(H, W, 3)``; None if backgrounds are not stored.

        Args:
            video: Number of its video.
            pictures: The clip, uint8 ``(T, H, W, 3)``.
        """
        if not self.stored:
            return None
        film = self.films[video]
        if film.background is not None:
            return film.background.picture
        if film.long or self.common is None:
            return median(pictures)
        if np.shape(self.common.picture) == pictures.shape[1:] and self.common.explains(pictures[len(pictures) // 2]):
            return self.common.picture
        self.unlike += 1
        return median(pictures)

    def notes(self) -> Iterator[str]:
        """Yield what was decided, in one line."""
        words = []
        if self.fixed:
            words.append(f"fixed camera in {counted(self.fixed, 'video')}")
        if self.moving:
            words.append(f"moving camera in {counted(len(self.moving), 'video')}, the first {self.moving[0]}")
        if self.short:
            shared = "on one common background" if self.common is not None else "without a common background"
            words.append(f"{counted(self.short, 'video')} of less than {LONG} clips, {shared}")
        alone = self.short > 0 and self.common is None
        others = ["of a moving camera"] * bool(self.moving) + ["of short videos"] * alone
        medians = f", for clips {' and '.join(others)} their own median" if self.stored and others else ""
        yield f"backgrounds {'' if self.stored else 'not '}stored{medians}: {'; '.join(words)}"
