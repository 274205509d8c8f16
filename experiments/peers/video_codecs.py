"""Clips through H.264 and AV1 at the bits of the default tokenizer, each by name."""

import time
from math import prod

import av1
import numpy as np

from trajvq.io.arrays import Bytes, Floats
from trajvq.metrics.reconstruction import h264
from trajvq.metrics.reconstruction.codes import bits

STRIDES, CODES = (4, 8, 8), 1000  # of the default tokenizer
Coded = tuple[Bytes, Floats, float]


def is_available(name: str) -> bool:
    """Return whether PyAV is installed, and was built with a codec."""
    return {"h264": h264, "av1": av1}[name].is_available()


def through_h264(video: Bytes) -> Coded:
    """Encode and decode clips uint8 ``(N, T, 3, H, W)``; return them, the bits ``(N,)`` of each, and the seconds."""
    encoder = h264.choose_setting(*_sample(video))
    start = time.perf_counter()
    decoded, lengths, _ = encoder.encode(video, np.full_like(video[:, :1], 255))  # a background that nobody asks for
    return decoded, lengths, time.perf_counter() - start


def through_av1(video: Bytes) -> Coded:
    """Do the same with AV1."""
    encoder = av1.choose_setting(*_sample(video))
    start = time.perf_counter()
    return *encoder.encode(video), time.perf_counter() - start


CODECS = {"h264": through_h264, "av1": through_av1}


def _sample(video: Bytes) -> tuple[Bytes, float]:
    """Return clips to choose a setting on, as the scoreboard does, and the bits of a clip's tokens."""
    count = min(len(video), h264.sample_size(video.shape[1:]))
    frames, _, height, width = video.shape[1:]
    cells = prod(size // stride for size, stride in zip((frames, height, width), STRIDES, strict=True))
    return video[np.linspace(0, len(video) - 1, count).round().astype(int)], bits(cells, CODES)
