"""H264: clips through the H.264 encoder x264 at about a given number of bits, as a row beside a tokenizer's.

x264 works in full-range Y'CbCr 4:4:4, at the preset `veryslow`, tuned for PSNR, with one keyframe a clip, in one thread
and without assembly, so that the same clip gives the same bits everywhere.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from typing import NamedTuple

import numpy as np
import torch

from trajvq.io.arrays import Bytes, Floats

FINEST, COARSEST, STEP = 0.0, 51.0, 0.5  # constant rate factors (CRF) of x264
SAMPLED_PIXELS = 40 * 16 * 64 * 64  # searched for the CRF, approximately; at least `LEAST_CLIPS` clips
LEAST_CLIPS = 4
# asm=0: with assembly, x264's lookahead gives small clips a few bits more or less from one call to the next.
SETTINGS = {"preset": "veryslow", "tune": "psnr", "x264-params": "keyint=infinite:scenecut=0:threads=1:asm=0:log=-1"}
SEI = 6  # type of a unit that holds remarks; x264 writes its version and settings into one of some 700 bytes
# BT.601 in full range: rows are Y', Cb and Cr of R, G and B in 0 to 255. Grey clips pass without rounding.
TO_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
OFFSET = np.array([0.0, 128.0, 128.0])[:, None, None]


class Coded(NamedTuple):
    """Clips that went through the encoder and back.

    Attributes:
        video: uint8 ``(N, T, 3, H, W)``.
        bits: ``(N,)`` bits of each clip's whole stream, its headers included and x264's remarks left out.
        bits_beyond_still: ``(N,)`` those beyond the stream of a clip of the same length that shows the background.
    """

    video: Bytes
    bits: Floats
    bits_beyond_still: Floats


@dataclass
class H264:
    """The encoder at one setting.

    Attributes:
        crf: Constant rate factor, from 0, lossless but for the colors' rounding, to 51.
        target: Bits a clip that the setting was chosen for.
        sampled: Number of clips that it was chosen on.
    """

    crf: float
    target: float
    sampled: int

    def encode(self, video: Bytes, background: Bytes) -> Coded:
        """Encode and decode clips.

        Args:
            video: uint8 ``(N, T, 3, H, W)``.
            background: uint8 ``(N, 1, 3, H, W)``.
        """
        streams = _streams(video, self.crf)
        bits = np.array([_bits(stream) for stream in streams])
        still: dict[bytes, int] = {}
        for picture in background:  # many clips share a background
            if picture.tobytes() not in still:
                clip = np.broadcast_to(picture, video.shape[1:])
                still[picture.tobytes()] = _bits(_stream(clip, self.crf))
        beyond = bits - np.array([still[picture.tobytes()] for picture in background])
        decoded = np.stack([_decode(stream, *video.shape[3:]) for stream in streams])
        return Coded(decoded, bits.astype(np.float64), beyond.astype(np.float64))

    def remark(self, bits: float) -> str:
        """Return a line about the setting, given the bits a clip that the split needed."""
        chosen = f"row h264: CRF {self.crf:g}, chosen on {self.sampled} clips for {self.target:,.0f} bits a clip"
        if self.crf == COARSEST and bits > self.target:
            return f"{chosen}; it is the coarsest and still needs {bits:,.0f}"
        return chosen


def is_available() -> bool:
    """Return whether PyAV is installed, and was built with x264."""
    try:
        import av
    except ImportError:
        return False
    return "libx264" in av.codecs_available


def sample_size(shape: tuple[int, ...]) -> int:
    """Return the number of clips of shape ``(T, 3, H, W)`` to choose a setting on."""
    return max(SAMPLED_PIXELS // (shape[0] * shape[2] * shape[3]), LEAST_CLIPS)


def choose_setting(video: Bytes, bits: float) -> H264:
    """Return the encoder at the setting whose mean bits over some clips are nearest to a target.

    Settings are CRFs in steps of one half. Where even the coarsest needs more bits, it is the coarsest.

    Args:
        video: uint8 ``(N, T, 3, H, W)``.
        bits: Target a clip.
    """

    def mean(step: int) -> float:
        return float(np.mean([_bits(stream) for stream in _streams(video, FINEST + STEP * step)]))

    step = nearest_step(mean, round((COARSEST - FINEST) / STEP), bits)
    return H264(FINEST + STEP * step, bits, len(video))


def nearest_step(mean: Callable[[int], float], last: int, bits: float) -> int:
    """Return the step, 0 to `last`, whose mean bits are nearest to a target, by bisection: bits fall with the steps.

    Args:
        mean: Bits at a step.
        last: The coarsest step.
        bits: The target.
    """
    low, high = 0, last  # finest with at most the target
    needed: dict[int, float] = {}
    while low < high:
        middle = (low + high) // 2
        needed[middle] = mean(middle)
        low, high = (low, middle) if needed[middle] <= bits else (middle + 1, high)
    if low not in needed:
        needed[low] = mean(low)
    return min(needed, key=lambda step: (abs(needed[step] - bits), step))


def _streams(video: Bytes, crf: float) -> list[list[bytes]]:
    """Return `_stream` of N clips, each in a thread of its own: the encoder takes most of the time of a scoreboard."""
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        return list(threads.map(_stream, video, repeat(crf)))


def _stream(clip: Bytes, crf: float) -> list[bytes]:
    """Return the packets of a clip uint8 ``(T, 3, H, W)``, without x264's remarks."""
    import av

    frames, _, height, width = clip.shape
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv444p"
    encoder.time_base, encoder.framerate, encoder.thread_count = Fraction(1, 25), Fraction(25), 1
    encoder.options = {**SETTINGS, "crf": str(crf)}
    ycbcr = (
        np.rint(np.einsum("yc,tchw->tyhw", TO_YCBCR, clip.astype(np.float64)) + OFFSET).clip(0, 255).astype(np.uint8)
    )
    packets = []
    for number in range(frames):
        frame = av.VideoFrame(width, height, "yuv444p")
        for plane, values in zip(frame.planes, ycbcr[number], strict=True):
            lines = np.zeros((height, plane.line_size), dtype=np.uint8)
            lines[:, :width] = values
            plane.update(lines.tobytes())
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return [b"".join(unit for unit in _units(bytes(packet)) if unit.lstrip(b"\0")[1] & 31 != SEI) for packet in packets]


def _units(packet: bytes) -> list[bytes]:
    """Split a packet into its units, each with its start code: 0 0 1, with a further 0 before it or not."""
    starts = []
    start = packet.find(b"\0\0\1")
    while start >= 0:
        starts.append(start - 1 if start and packet[start - 1] == 0 else start)
        start = packet.find(b"\0\0\1", start + 3)
    return [packet[first:last] for first, last in zip(starts, [*starts[1:], len(packet)], strict=True)]


def _bits(packets: list[bytes]) -> int:
    return 8 * sum(len(packet) for packet in packets)


def _decode(packets: list[bytes], height: int, width: int) -> Bytes:
    """Return the clip of some packets, uint8 ``(T, 3, H, W)``."""
    import av

    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet))]
    frames += decoder.decode(None)
    planes = [
        [np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[:height, :width] for plane in frame.planes]
        for frame in frames
    ]
    rgb = np.einsum("cy,tyhw->tchw", np.linalg.inv(TO_YCBCR), np.array(planes, dtype=np.float64) - OFFSET)
    return np.asarray(np.rint(rgb).clip(0, 255).astype(np.uint8))
