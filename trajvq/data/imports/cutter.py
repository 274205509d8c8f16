"""Cut videos into clips: consecutive frames without overlap and, where frames are tiled, one clip for each window.

T frames, H rows, W columns.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.clip_backgrounds import ClipBackgrounds
from trajvq.data.imports.collection import Video
from trajvq.data.imports.framing import Framing
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.plurals import counted
from trajvq.data.imports.segments import Segment
from trajvq.io.arrays import Bytes


class ClipCutter:
    """Read the clips of segments.

    Args:
        videos: The videos.
        framing: What of their frames clips show.
        length: T, frames per clip.
        backgrounds: Background of every clip.
        ids: ``(N,)`` class ids of the videos, or None.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        framing: Framing,
        length: int,
        backgrounds: ClipBackgrounds,
        ids: NDArray[np.int64] | None,
    ) -> None:
        self.videos, self.framing, self.length = videos, framing, length
        self.backgrounds, self.ids = backgrounds, ids
        self.windows, self.still = 0, 0  # windows seen so far, and those of them in which no pixel changes

    def clips(self, segments: Sequence[Segment], advance: Callable[[int], None]) -> Iterator[dict[str, Any]]:
        """Yield the clips of segments, one dictionary of columns for each.

        Args:
            segments: Those of a video one after another.
            advance: Called with 1 for every clip of whole frames.

        Raises:
            DataError: If a video cannot be read.
        """
        for video, parts in groupby(segments, key=lambda segment: segment.video):
            wanted = {clip for part in parts for clip in range(part.start, part.stop)}
            for pictures in self._pictures(self.videos[video], wanted):
                yield from self._columns(video, pictures)
                advance(1)

    def _pictures(self, video: Video, wanted: set[int]) -> Iterator[Bytes]:
        """Yield the wanted clips of a video, uint8 ``(T, H, W, 3)``. No more than a clip and a piece are in memory."""
        position, last = 0, max(wanted)
        kept: list[Bytes] = []
        for piece in video.pieces():
            for frame in piece:
                clip, offset = divmod(position, self.length)
                position += 1
                if clip > last:
                    return
                if clip in wanted:
                    kept.append(self.framing.frame(frame[None])[0])
                    if offset == self.length - 1:
                        yield np.stack(kept)
                        kept = []

    def _columns(self, video: int, pictures: Bytes) -> Iterator[dict[str, Any]]:
        """Yield the columns of each window of a clip, uint8 ``(T, H, W, 3)``."""
        label = {} if self.ids is None else {"label": self.ids[video]}
        background = self.backgrounds.of_clip(video, pictures)
        behind = None if background is None else list(self.framing.windows(background))
        for number, window in enumerate(self.framing.windows(pictures)):
            if self.framing.tile:
                self.windows += 1
                if (window == window[:1]).all():
                    self.still += 1
                    continue
            columns = {"video": np.ascontiguousarray(window.transpose(0, 3, 1, 2)), **label}
            if behind is not None:
                columns["background"] = np.ascontiguousarray(behind[number].transpose(2, 0, 1))
            yield columns

    def note_omissions(self, ledger: Ledger) -> None:
        """Note what was left out or assumed in the clips read so far."""
        if self.windows:
            ledger.count("window", self.windows, {"in which no pixel changes": self.still})
        if self.backgrounds.unlike:
            ledger.note(f"{counted(self.backgrounds.unlike, 'clip')} without the common background, own median stored")
