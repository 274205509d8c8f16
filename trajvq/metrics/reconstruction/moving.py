"""Which pixels of a clip move, from the clip alone: no object has to be found.

N clips, T frames, C channels, H rows, W columns.
"""

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Bytes, Floats

NOISE_RATIO = 3.0  # of a moving pixel's difference from the mean frame to the temporal noise of its clip
LEAST_DIFFERENCE = 2.0  # levels of 255; less may be rounding
LEAST_PIXELS = 4  # over all frames; a clip with fewer moving pixels is still
MARGIN = 2  # px around moving pixels that count as moving, too


def temporal_noise(video: Bytes) -> Floats:
    """Return the temporal noise of each clip and channel, ``(N, C)`` in levels of 255.

    It is the median over all pixels of the absolute second difference in time, ``|v[t-1] - 2 v[t] + v[t+1]|``, without
    a factor: 1.65 standard deviations of white noise. Differences are whole levels, so the median is interpolated
    within its level, as that of grouped data; without noise it is then 1/4. A clip of fewer than three frames has 0.

    Args:
        video: uint8 ``(N, T, C, H, W)``.
    """
    if video.shape[1] < 3:
        return np.zeros((video.shape[0], video.shape[2]))
    signed = video.astype(np.int16)
    second = np.abs(signed[:, :-2] - 2 * signed[:, 1:-1] + signed[:, 2:]).swapaxes(1, 2)
    return np.array([[_grouped_median(np.bincount(channel.ravel())) for channel in clip] for clip in second])


def _grouped_median(counts: NDArray[np.int64]) -> float:
    """Return the median of whole numbers from 0 on, given their counts; k stands for all from k - 1/2 to k + 1/2."""
    below = np.cumsum(counts) - counts
    half = counts.sum() / 2
    level = int(np.searchsorted(below + counts, half))
    share = float((half - below[level]) / counts[level])
    return share / 2 if level == 0 else level - 0.5 + share


def moving_pixels(video: Bytes) -> NDArray[np.bool_]:
    """Return the pixels that move, bool ``(N, T, H, W)``; none in a still clip.

    A pixel moves in a frame if a channel differs from the clip's mean frame by more than 3 times the channel's
    `temporal_noise` (5 standard deviations of white noise) and by more than 2 levels, or if such a pixel lies within
    2 px. A clip with fewer than 4 pixels that differ so much is still.

    Args:
        video: uint8 ``(N, T, C, H, W)``.
    """
    limit = np.maximum(NOISE_RATIO * temporal_noise(video), LEAST_DIFFERENCE).astype(np.float32)
    mean = video.mean(axis=1, keepdims=True, dtype=np.float32)
    moving = (np.abs(video - mean) > limit[:, None, :, None, None]).any(axis=2)
    still = moving.sum(axis=(1, 2, 3)) < LEAST_PIXELS
    moving[still] = False
    for _ in range(MARGIN):  # two steps to the four neighbors reach every pixel within 2 px
        wider = moving.copy()
        wider[..., 1:, :] |= moving[..., :-1, :]
        wider[..., :-1, :] |= moving[..., 1:, :]
        wider[..., :, 1:] |= moving[..., :, :-1]
        wider[..., :, :-1] |= moving[..., :, 1:]
        moving = wider
    return np.asarray(moving)
