"""What an import says about sizes, frame rates and what it leaves out, one line each."""

from collections.abc import Iterator, Sequence

from trajvq.data.imports.collection import Video
from trajvq.data.imports.framing import Framing
from trajvq.data.imports.plurals import counted
from trajvq.data.imports.survey import Film, Survey

SAME_RATE = 0.01  # relative difference of frame rates that counts as none


def size_notes(sizes: Sequence[tuple[int, int]], common_size: tuple[int, int], framing: Framing) -> Iterator[str]:
    """Yield what happens to the frames.

    Args:
        sizes: Height and width of every video.
        common_size: Those of most videos.
        framing: What of the frames clips show.
    """
    done = framing.describe(*common_size)
    if done:
        yield f"frames are {done}"
    others = sorted({size for size in sizes if size != common_size})
    if others:
        named = ", ".join(f"{columns}x{rows}" for rows, columns in others[:3]) + (", ..." if len(others) > 3 else "")
        height, width = common_size
        count = sum(size != common_size for size in sizes)
        yield f"{counted(count, 'video')} of another size than {width}x{height}, treated alike: {named}"


def rate_notes(videos: Sequence[Video]) -> Iterator[str]:
    """Yield how the times of frames differ, between videos that have been read and within them."""
    rates = [video.clock.rate for video in videos if video.clock.rate]
    if rates and max(rates) > min(rates) * (1 + SAME_RATE):
        yield f"videos have {min(rates):.4g} to {max(rates):.4g} frames per second, which are taken as they are"
    uneven = [video.name for video in videos if video.clock.uneven]
    if uneven:
        yield f"{counted(len(uneven), 'video')} with unevenly spaced frames, taken as even; the first: {uneven[0]}"


def omission_notes(survey: Survey, films: Sequence[Film], length: int) -> Iterator[str]:
    """Yield what is left out.

    Args:
        survey: Of all videos.
        films: What is known of the readable ones.
        length: Frames per clip.
    """
    if survey.bad:
        names = ", ".join(name for name, _ in survey.bad)
        count, reason = counted(len(survey.bad), "unreadable video"), f"the first, because {survey.bad[0][1]}"
        yield f"{count} left out: {names}; {reason}"
    short = [video.name for video, film in zip(survey.videos, films, strict=True) if film.frames < length]
    if short:
        yield f"{counted(len(short), 'video')} with fewer than {length} frames left out; the first: {short[0]}"
    omitted = [film.frames % length for film in films if film.frames >= length and film.frames % length]
    if omitted:
        frames, videos = counted(sum(omitted), "frame"), counted(len(omitted), "video")
        yield f"{frames} left out at the end of {videos}: too few for a clip"
