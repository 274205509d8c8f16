"""AV1: clips through SVT-AV1 at about a given number of bits, as `trajvq.metrics.reconstruction.h264` does with x264.

SVT-AV1 codes Y'CbCr 4:2:0 only, so colors have half the resolution. It runs at preset 2, with one keyframe a clip, in
one thread.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

from trajvq.io.arrays import Bytes, Floats
from trajvq.metrics.reconstruction.h264 import nearest_step

FINEST, COARSEST = 1, 63  # constant rate factors (CRF) of SVT-AV1
DELIMITER = b"\x12\x00"  # begins each packet and says nothing; files leave it out
PIXELS = "yuv420p"

os.environ.setdefault("SVT_LOG", "1")  # errors alone


@dataclass
class AV1:
    """The encoder at one constant rate factor."""

    crf: int

    def encode(self, video: Bytes) -> tuple[Bytes, Floats]:
        """Encode and decode clips uint8 ``(N, T, 3, H, W)``; return them and the bits ``(N,)`` of their streams."""
        streams = _streams(video, self.crf)
        return np.stack([_decode(stream) for stream in streams]), np.array([_bits(stream) for stream in streams], float)


def is_available() -> bool:
    """Return whether PyAV is installed, and was built with SVT-AV1 and a decoder."""
    try:
        import av
    except ImportError:
        return False
    return {"libsvtav1", "libdav1d"} <= av.codecs_available


def choose_setting(video: Bytes, bits: float) -> AV1:
    """Return the encoder at the setting whose mean bits over clips uint8 ``(N, T, 3, H, W)`` are nearest to a target.

    Where even the coarsest needs more bits, it is the coarsest.
    """

    def mean(step: int) -> float:
        return float(np.mean([_bits(stream) for stream in _streams(video, FINEST + step)]))

    return AV1(FINEST + nearest_step(mean, COARSEST - FINEST, bits))


def _streams(video: Bytes, crf: int) -> list[list[bytes]]:
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        return list(threads.map(lambda clip: _stream(clip, crf), video))


def _stream(clip: Bytes, crf: int) -> list[bytes]:
    """Return the packets of a clip uint8 ``(T, 3, H, W)``."""
    import av

    encoder = av.CodecContext.create("libsvtav1", "w")
    encoder.height, encoder.width = clip.shape[2:]
    encoder.pix_fmt, encoder.time_base, encoder.framerate = PIXELS, Fraction(1, 25), Fraction(25)
    encoder.options = {"preset": "2", "crf": str(crf), "svtav1-params": "lp=1:keyint=-1"}
    packets = []
    for number, picture in enumerate(clip.transpose(0, 2, 3, 1)):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(format=PIXELS)
        frame.pts = number
        packets += encoder.encode(frame)
    return [bytes(packet).removeprefix(DELIMITER) for packet in [*packets, *encoder.encode(None)]]


def _bits(packets: list[bytes]) -> int:
    return 8 * sum(len(packet) for packet in packets)


def _decode(packets: list[bytes]) -> Bytes:
    """Return the clip of some packets, uint8 ``(T, 3, H, W)``."""
    import av

    decoder = av.CodecContext.create("libdav1d", "r")
    decoder.thread_count = 1
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet))]
    frames += decoder.decode(None)
    return np.stack([frame.to_ndarray(format="rgb24") for frame in frames]).transpose(0, 3, 1, 2)
