"""What an import of videos says of sizes, of what video files declare, and of what it leaves out, one line each."""

from collections.abc import Iterator, Sequence

from trajvq.data.imports.collection import Video
from trajvq.data.imports.framing import Framing
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.plurals import counted, listed
from trajvq.data.imports.survey import NAMED, Film, Survey

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
        named = listed([f"{columns}x{rows}" for rows, columns in others], 3)
        height, width = common_size
        count = sum(size != common_size for size in sizes)
        yield f"{counted(count, 'video')} of another size than {width}x{height}, treated alike: {named}"


def playback_notes(videos: Sequence[Video], rate: float | None) -> Iterator[str]:
    """Yield what was done because the files say so, and how times and numbers of frames differ.

    Args:
        videos: Videos that have been read.
        rate: Frames per second that were taken; None for all frames.
    """
    playbacks = [video.playback for video in videos]
    turned, stretched = sum(p.turned for p in playbacks), sum(p.stretched for p in playbacks)
    transparent = sum(p.transparent for p in playbacks)
    if turned:
        yield f"{counted(turned, 'video')} turned upright, as the file says"
    if stretched:
        yield f"{counted(stretched, 'video')} stretched to square pixels, as the file says"
    if transparent:
        yield f"{counted(transparent, 'video')} with transparent pixels, shown over white"
    fewer = [(video.name, p) for video, p in zip(videos, playbacks, strict=True) if 0 < p.decoded < p.declared]
    if fewer:
        name, playback = fewer[0]
        first = f"{name}, {playback.decoded:,} of {playback.declared:,}"
        yield f"{counted(len(fewer), 'video')} with fewer frames than the file declares; the first: {first}"
    rates = [p.rate for p in playbacks if p.rate]
    if rate is not None:
        untimed = sum(not p.decoded for p in playbacks)  # no video files
        if untimed < len(playbacks):
            of = f", of {min(rates):.4g} to {max(rates):.4g}" if rates else ""
            yield f"{rate:g} frames per second taken by their times{of}"
        if untimed:
            yield f"{counted(untimed, 'video')} of pictures, which have no times: all of their frames are taken"
        return
    remedy = f"for even times give --rate, such as --rate {min(rates, default=0):.4g}"
    uneven = [video.name for video in videos if video.playback.uneven]
    if rates and max(rates) > min(rates) * (1 + SAME_RATE):
        also = "" if uneven else f"; {remedy}"
        yield f"videos have {min(rates):.4g} to {max(rates):.4g} frames per second, which are taken as they are{also}"
    if uneven:
        count = counted(len(uneven), "video")
        yield f"{count} with unevenly spaced frames, taken as even; the first: {uneven[0]}; {remedy}"


def note_omissions(ledger: Ledger, survey: Survey, films: Sequence[Film], length: int) -> None:
    """Count and name the videos and frames that are left out.

    Args:
        ledger: Gains them.
        survey: Of all videos.
        films: What is known of the readable ones.
        length: Frames per clip.
    """
    short = [video.name for video, film in zip(survey.videos, films, strict=True) if film.frames < length]
    ledger.count("video", survey.total, {"unreadable": len(survey.bad), f"with fewer than {length} frames": len(short)})
    if survey.bad:
        names = listed([name for name, _ in survey.bad], NAMED)
        count, reason = counted(len(survey.bad), "unreadable video"), f"the first, because {survey.bad[0][1]}"
        ledger.note(f"{count} left out: {names}; {reason}")
    if short:
        count = counted(len(short), "video")
        ledger.note(f"{count} with fewer than {length} frames left out; the first: {short[0]}")
    used = [film.frames for film in films if film.frames >= length]
    ledger.count("frame", sum(used), {"at the end of videos, too few for a clip": sum(k % length for k in used)})
