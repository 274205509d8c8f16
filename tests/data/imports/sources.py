"""Small videos that the tests of imports write."""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

LONG = 20


def movie(seed: int, frames: int = LONG, size: int = 32) -> np.ndarray:
    """A white square moving over a gray level that identifies the movie: uint8 (T, H, W, 3)."""
    video = np.full((frames, size, size, 3), 40 + 8 * seed, dtype=np.uint8)
    for frame in range(frames):
        video[frame, 4 + frame % 20 : 10 + frame % 20, 4:10] = 250
    return video


def encode(
    video: np.ndarray,
    rate: int = 10,
    times: list[int] | None = None,
    container: str = "mp4",
    codec: str = "mpeg4",
    aspect: Fraction | None = None,
    pixels: str = "yuv420p",
) -> bytes:
    """The bytes of a video file of frames in color, or uint16 (T, H, W) in gray.

    ``times`` are those of its frames, in units of a frame; ``aspect`` is the width of a pixel divided by its height.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.bit_rate = video.shape[2], video.shape[1], 4_000_000
        stream.pix_fmt = pixels
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for number, picture in enumerate(video):
            kind = "rgb24" if picture.ndim == 3 else "gray16le"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=kind)
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


def write_movie(path: Path, video: np.ndarray, **options: Any) -> Path:
    """Write a video file and the folders above it; options are those of `encode`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(video, **options))
    return path
