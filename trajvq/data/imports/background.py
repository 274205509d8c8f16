"""The background of a film: the median over its whole length, where the camera is fixed.

A camera counts as fixed if

- the median explains the film: in nine of ten sampled frames at least 80 % of the pixels differ from it by no more
  than an eighth of the film's contrast, or three times its noise if that is more; and
- no shift of the picture as a whole is found in more than 15 % of pairs of sampled frames, neither of frames close in
  time nor of frames far apart.

N frames, H rows, W columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np

from trajvq.data.imports.camera_motion import Gray, camera_moved, noise, reduced
from trajvq.io.arrays import Bytes

MOST, LEAST = 129, 15  # frames that a sample holds, if they fit into `BUDGET`; and fewest
BUDGET = 2**28  # bytes of a sample
LAG = 8  # frames between a sampled frame and the one that is compared with it
GOLDEN = (sqrt(5) - 1) / 2
EXPLAINED_PIXELS, EXPLAINED_FRAMES = 0.8, 0.9
MOVED_PAIRS = 0.15
PAIRS = 24  # that are compared, of each kind
CONTRAST_SHARE = 1 / 8  # of the 1st to the 99th percentile of the film's values
NOISE_RATIO = 3.0
LEAST_TOLERANCE = 2.0  # levels: what compression changes anywhere
LEAST_SHIFT, SHIFT_RATIO = 1.0, 0.5  # levels, and noises, by which whole frames of one light may differ
MEASURED = 16  # frames, or pairs of them, from which contrast and noise are measured


class FrameSample:
    """Frames sampled evenly from a film of unknown length, in bounded memory.

    Frame k is kept if the fractional part of k times the golden ratio is below a rate, which is halved whenever there
    are too many. So the sample is even and has no period in common with the film.

    Attributes:
        rate: Share of the frames that is kept.
        total: Frames added, kept or not.
    """

    def __init__(self) -> None:
        self.rate, self.total = 1.0, 0
        self._kept: list[tuple[float, Bytes]] = []
        self._phases: list[float] = []  # of the last `LAG` frames
        self._later: dict[float, Gray] = {}  # by the phase of a kept frame: the frame `LAG` after it

    def add(self, frame: Callable[[], Bytes]) -> None:
        """Take the next frame into account.

        Args:
            frame: Returns it, uint8 ``(H, W, 3)``; called only if it is needed.
        """
        phase = self.total * GOLDEN % 1.0
        self.total += 1
        self._phases.append(phase)
        if len(self._phases) > LAG:
            earlier = self._phases.pop(0)
            if earlier < self.rate:
                self._later[earlier] = reduced(frame())
        if phase >= self.rate:
            return
        picture = frame().copy()
        self._kept.append((phase, picture))
        if len(self._kept) > int(np.clip(BUDGET // picture.nbytes, LEAST, MOST)):
            self.rate /= 2
            self._kept = [(phase, kept) for phase, kept in self._kept if phase < self.rate]
            self._later = {phase: later for phase, later in self._later.items() if phase < self.rate}

    def frames(self) -> Bytes:
        """Return the sampled frames in order, uint8 ``(N, H, W, 3)``."""
        return np.stack([frame for _, frame in self._kept])

    @property
    def same_size(self) -> bool:
        """Whether there are frames, all of one size."""
        return len({frame.shape for _, frame in self._kept}) == 1

    def camera_moves(self) -> bool:
        """Return whether the pictures of one film shift as a whole, from frame to frame or in the long run."""
        gray = {phase: reduced(frame) for phase, frame in self._kept}
        close = [(gray[phase], later) for phase, later in self._later.items() if phase in gray]
        far = list(pairwise(gray.values()))
        return any(_share_moved(pairs) > MOVED_PAIRS for pairs in (close, far))


def _share_moved(pairs: Sequence[tuple[Gray, Gray]]) -> float:
    chosen = np.unique(np.linspace(0, len(pairs) - 1, PAIRS).astype(int)) if pairs else ()
    return float(np.mean([camera_moved(*pairs[k]) for k in chosen])) if pairs else 0.0


@dataclass(frozen=True)
class Background:
    """The background of a film.

    Attributes:
        picture: uint8 ``(H, W, 3)``.
        tolerance: Levels by which a pixel may differ from it and still show it.
        shift: Levels by which a frame as a whole may differ from it.
    """

    picture: Bytes
    tolerance: float
    shift: float

    def explains(self, frame: Bytes) -> bool:
        """Return whether most pixels of a frame, uint8 ``(H, W, 3)``, show the background."""
        difference = frame.astype(np.int16) - self.picture
        if np.abs(np.median(difference, axis=(0, 1))).max() > self.shift:
            return False
        return bool((np.abs(difference).max(axis=-1) <= self.tolerance).mean() >= EXPLAINED_PIXELS)


def film_background(sample: FrameSample) -> Background | None:
    """Return the background of a film, or None if its camera is not fixed."""
    background = _explaining(sample.frames(), same_light=False)
    return None if background is None or sample.camera_moves() else background


def common_background(sample: FrameSample) -> Background | None:
    """Return the background that frames of several films share, or None if they share none.

    Frames that are brighter or darker as a whole do not share it: they may show another place.
    """
    return _explaining(sample.frames(), same_light=True) if sample.same_size else None


def _explaining(frames: Bytes, same_light: bool) -> Background | None:
    """Return the median of frames ``(N, H, W, 3)`` if it explains nearly all of them."""
    low, high = np.percentile(frames[:: max(len(frames) // MEASURED, 1)], (1, 99))
    deviation = _noise(frames)
    background = Background(
        median(frames),
        max(LEAST_TOLERANCE, CONTRAST_SHARE * (high - low), NOISE_RATIO * deviation),
        max(LEAST_SHIFT, SHIFT_RATIO * deviation) if same_light else np.inf,
    )
    explained = np.mean([background.explains(frame) for frame in frames])
    return background if explained >= EXPLAINED_FRAMES else None


def median(frames: Bytes) -> Bytes:
    """Return the pixelwise median of frames ``(N, H, W, 3)``, the lower of two for an even number of them."""
    middle = (len(frames) - 1) // 2
    rows = [np.partition(frames[:, row], middle, axis=0)[middle] for row in range(frames.shape[1])]
    return np.stack(rows)


def _noise(frames: Bytes) -> float:
    """Return the standard deviation of the noise of a channel in levels, from differences between frames."""
    if len(frames) < 2:
        return 0.0
    pairs = np.linspace(0, len(frames) - 2, min(len(frames) - 1, MEASURED)).astype(int)
    green = frames[..., 1].astype(np.float32)
    return float(np.median([noise(green[k + 1] - green[k]) for k in pairs])) / sqrt(2)
