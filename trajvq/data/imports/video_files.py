"""Decode video files, one frame at a time, upright and with square pixels."""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.collection import Playback, Video
from trajvq.data.imports.labels import Label
from trajvq.data.imports.levels import Levels
from trajvq.errors import DataError, first_line

VIDEO_FILES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m2v", ".wmv", ".asf", ".ts", ".mts", ".m2ts"),
    *(".ogv", ".flv", ".3gp", ".vob", ".y4m", ".gif"),
)
UNEVEN = 0.25  # share of the typical time between frames by which a time may differ before it counts as uneven
COMPLETE = 0.9  # share of the duration in its header that a film must last to count as complete
MAX_PIXELS = 2**26  # of a frame, beyond which a header counts as damaged
EARLY = 0.01  # share of the time between two frames to take by which a frame may come late, since times are rounded
SQUARE, FLATTEST = 0.01, 4  # relative difference of a pixel's sides that counts as none, and the largest ratio of them


def video_file(
    path: Path,
    name: str,
    levels: Levels,
    label: Label = None,
    split: str | None = None,
    group: str | None = None,
    rate: float | None = None,
) -> Video:
    """Return the video of a file.

    Args:
        path: The file.
        name: Name for messages.
        levels: Of the collection.
        label: Class name, or None.
        split: The split whose folder the file is in, or None.
        group: Videos of the same group stay in one split; None for one on its own.
        rate: Frames per second to take; None for all frames.
    """
    playback = Playback()
    stored = partial(decode, path, name, playback, rate)
    return Video(name, label, stored, levels, split=split, playback=playback, group=group)


def decode(
    source: Path | io.BytesIO, where: str, playback: Playback, rate: float | None = None
) -> Iterator[NDArray[Any]]:
    """Yield the frames of a video file, each uint8 ``(1, H, W, 3)``, as a player shows them.

    They are turned upright, and stretched if pixels are not square, where the file says so. Gray frames of more than
    8 bits are uint16 ``(1, H, W, 1)``.

    Args:
        source: Path or content of the file.
        where: Name for messages.
        playback: Takes what the file says of its frames.
        rate: Frames per second to take, those that a player shows at these times; None for all frames as they come.

    Raises:
        DataError: If the file is not a video or is damaged, or if PyAV is not installed.
    """
    shape: tuple[int, ...] | None = None
    times: list[float | None] = []
    current: NDArray[Any] | None = None
    taken = 0
    for time, picture in _decode(source, where, playback):
        shape = shape or picture.shape
        if picture.shape != shape:
            raise DataError(f"{where} changes its size from frame to frame; split it where it changes")
        times.append(time)
        if rate is None:
            yield picture[None]
            continue
        if time is None or times[0] is None:
            raise DataError(f"{where} has frames without a time; leave out --rate")
        while current is not None and taken / rate <= time - times[0] - EARLY / rate:
            yield current[None]
            taken += 1
        current = picture
    if shape is None:
        raise DataError(f"{where} holds no frame")
    while (
        rate is not None and current is not None and taken / rate <= (times[-1] or 0) - (times[0] or 0) + EARLY / rate
    ):
        yield current[None]
        taken += 1
    frame_times = [time for time in times if time is not None]
    playback.decoded, playback.uneven = len(times), _uneven(frame_times, playback.tick)
    playback.declared = playback.declared or _declared(frame_times, playback.duration)


def _decode(source: Path | io.BytesIO, where: str, playback: Playback) -> Iterator[tuple[float | None, NDArray[Any]]]:
    """Yield the time of each frame in seconds, if the file says it, and the frame as `_as_shown`."""
    try:
        import av
    except ImportError:
        raise DataError("video files need PyAV; install it with `pip install 'trajvq[import]'`") from None
    try:
        with av.open(str(source) if isinstance(source, Path) else source, mode="r") as container:
            if not container.streams.video:
                raise ValueError("it holds no pictures")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ValueError("no decoder for it")
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            playback.rate = float(stream.average_rate) if stream.average_rate else None
            playback.tick = float(stream.time_base) if stream.time_base else 0.0
            playback.declared = stream.frames
            playback.duration = (container.duration or 0) / av.time_base
            for frame in container.decode(stream):
                yield frame.time, _as_shown(frame, stream.sample_aspect_ratio, playback)
    except (av.error.FFmpegError, IndexError, ValueError, OverflowError, OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise DataError(f"{where} is not a readable video ({reason})") from None


def _as_shown(frame: Any, aspect: Any, playback: Playback) -> NDArray[Any]:
    """Return a frame with square pixels, upright: uint8 ``(H, W, 3)``, or uint16 ``(H, W, 1)`` for gray of more bits.

    Args:
        frame: The frame.
        aspect: Width of a pixel divided by its height; None or 0 if it is not known.
        playback: Takes what was done.
    """
    width, height = frame.width, frame.height
    aspect = float(aspect or 1)
    if abs(aspect - 1) > SQUARE and 1 / FLATTEST <= aspect <= FLATTEST:
        width, height = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
        playback.stretched = True
    deep = frame.format.name.startswith("gray") and frame.format.components[0].bits > 8
    picture = frame.to_ndarray(format="gray16le" if deep else "rgb24", width=width, height=height)
    picture = picture.astype(np.uint16)[..., None] if deep else picture
    turns = round(getattr(frame, "rotation", 0) / 90) % 4  # PyAV before 13 does not say
    playback.turned = turns > 0
    return np.rot90(picture, turns) if turns else picture


def _declared(times: list[float], duration: float) -> int:
    """Return how many frames a film with a duration in its header has if it goes on as it began; 0 if it has them."""
    if len(times) < 2:
        return 0
    span = max(times) - min(times) + float(np.median(np.diff(np.sort(np.array(times)))))
    return round(len(times) * duration / span) if 0 < span < COMPLETE * duration else 0


def _uneven(times: list[float], tick: float) -> bool:
    """Return whether the times between frames differ by more than the rounding to a container's ticks, in seconds."""
    steps = np.diff(np.sort(np.array(times)))
    if not len(steps):
        return False
    typical = np.median(steps)
    return bool((np.abs(steps - typical) > np.maximum(UNEVEN * typical, 1.01 * tick)).any())
