"""Video files come upright, with what is known of their times, and damaged ones are named."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.data.imports.sources import encode, movie, write_movie
from trajvq.cli import main
from trajvq.data.imports.levels import Levels
from trajvq.data.imports.readers import read_collection
from trajvq.data.imports.video_files import video_file
from trajvq.data.imports.videos import import_videos
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.errors import DataError


def turned(path: Path) -> Path:
    """Change the display matrix of an .mp4 to a turn by 90 degrees clockwise."""
    raw = path.read_bytes()
    upright = b"".join(n.to_bytes(4, "big", signed=True) for n in (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30))
    quarter = b"".join(n.to_bytes(4, "big", signed=True) for n in (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))
    assert upright in raw
    head, _, tail = raw.rpartition(upright)  # the last one is the track's
    path.write_bytes(head + quarter + tail)
    return path


def test_a_turned_recording_is_upright(tmp_path: Path) -> None:
    video = movie(0)[:, :, :16]
    lying = np.rot90(video, 1, axes=(1, 2))
    path = turned(write_movie(tmp_path / "v.mp4", lying))
    read = video_file(path, "v", Levels()).read()
    assert read.shape == video.shape
    assert np.abs(read.astype(int) - video).mean() < 6


@pytest.mark.parametrize(("aspect", "shape"), [(Fraction(4, 3), (24, 32)), (Fraction(1, 2), (48, 24))])
def test_pixels_that_are_not_square_are_stretched(tmp_path: Path, aspect: Fraction, shape: tuple[int, int]) -> None:
    video = movie(0)[:, :24, :24]
    path = write_movie(tmp_path / "v.mkv", video, container="matroska", aspect=aspect)
    source = video_file(path, "v", Levels())
    read = source.read()
    assert read.shape[1:3] == shape
    assert source.playback.stretched
    columns, rows = shape[1] / 24, shape[0] / 24
    assert read[0, int(7 * rows), int(7 * columns)].min() > 200
    assert read[0, int(7 * rows), int(13 * columns)].max() < 100


def test_what_was_done_to_frames_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for k in range(3):
        turned(write_movie(tmp_path / "set" / f"{k}.mp4", movie(k, 16)))
        write_movie(tmp_path / "set" / f"{k}.mkv", movie(k + 3, 16), container="matroska", aspect=Fraction(4, 3))
    assert main(["data", "import-videos", str(tmp_path / "set"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "3 videos turned upright, as the file says" in said
    assert "3 videos stretched to square pixels, as the file says" in said


def level(clip: np.ndarray) -> int:
    """The number of a frame of a movie whose gray levels rise by 10 from one to the next."""
    return round(float(np.median(clip)) / 10)


@pytest.mark.parametrize(
    ("rate", "times", "wanted", "expected"),
    [
        (10, None, 10, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (30, None, 10, [0, 3, 6]),
        (10, None, 20, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8]),
        (10, [0, 1, 2, 6, 7, 8, 9, 10, 11], 10, [0, 1, 2, 2, 2, 2, 3, 4, 5, 6, 7, 8]),
        (25, None, 10, [0, 2, 5, 7]),
    ],
)
def test_frames_are_taken_by_their_times(
    tmp_path: Path, rate: int, times: list[int] | None, wanted: float, expected: list[int]
) -> None:
    video = np.arange(0, 90, 10, dtype=np.uint8)[:, None, None, None].repeat(32, 1).repeat(32, 2).repeat(3, 3)
    path = write_movie(tmp_path / "v.mp4", video, rate=rate, times=times)
    read = video_file(path, "v", Levels(), rate=wanted).read()
    assert [level(frame) for frame in read] == expected


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_of_no_frames_or_of_frames_without_end_is_an_error(tmp_path: Path, rate: float) -> None:
    with pytest.raises(DataError, match=f"--rate {rate:g} is not a number of frames per second above 0"):
        import_videos(tmp_path / "v.mp4", tmp_path / "out", rate=rate)


def test_frames_that_a_file_declares_but_lacks_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 32, 32, 3), dtype=np.uint8)
    for k in range(4):
        write_movie(tmp_path / "set" / f"{k}.avi", noise, container="avi")
    path = tmp_path / "set" / "2.avi"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 8 // 10])
    assert main(["data", "import-videos", str(tmp_path / "set"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "1 video with fewer frames than the file declares; the first: " in said
    assert "2.avi, " in said
    assert " of 40" in said


def test_a_file_cut_off_before_its_duration_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 32, 32, 3), dtype=np.uint8)
    times = [*range(50), *range(60, 70)]  # with a pause
    for k in range(3):
        write_movie(tmp_path / "set" / f"{k}.mkv", noise, container="matroska", times=None if k else times)
    path = tmp_path / "set" / "2.mkv"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    assert main(["data", "import-videos", str(tmp_path / "set"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "1 video with fewer frames than the file declares; the first: " in said
    assert "2.mkv, " in said
    assert " of 60" in said


@pytest.mark.parametrize("pixels", ["gray16le", "gray12le"])
def test_gray_films_of_more_than_8_bits_are_scaled_by_their_own_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pixels: str
) -> None:
    film = np.full((16, 32, 32), 200, np.uint16)
    for t in range(16):
        film[t, 4:10, t : t + 8] = 2000
    stored = film if pixels == "gray16le" else film << 4  # which libav takes to 12 bits
    path = write_movie(tmp_path / "v.mkv", stored, container="matroska", codec="ffv1", pixels=pixels)
    import_videos(path, tmp_path / "out")
    assert "of uint16 are scaled to 0 to 255, once for all videos" in capsys.readouterr().out
    clip = Clips(tmp_path / "out", "test")[0]["video"].numpy()
    assert np.array_equal(clip[:, 0], (film == 2000) * 255)


CODECS = {".m4v": ("mp4", "mpeg4"), ".MOV": ("mov", "mpeg4"), ".mpg": ("mpeg", "mpeg1video"), ".wmv": ("asf", "wmv2")}
CODECS |= {
    ".ts": ("mpegts", "mpeg2video"),
    ".flv": ("flv", "flv"),
    ".AVI": ("avi", "mpeg4"),
    ".vob": ("vob", "mpeg2video"),
}


@pytest.mark.parametrize("ending", CODECS)
def test_videos_of_many_endings_are_read(tmp_path: Path, ending: str) -> None:
    container, codec = CODECS[ending]
    write_movie(tmp_path / f"v{ending}", movie(1), rate=25, container=container, codec=codec)
    (video,) = read_collection(tmp_path).videos
    read = video.read().astype(int)
    assert read.shape == movie(1).shape
    assert np.abs(read - movie(1)).mean() < 8


@pytest.mark.parametrize(("frames", "remedy"), [(1, "a clip needs at least 2"), (5, "give --frames 5 or fewer")])
def test_videos_that_are_all_too_short_say_what_would_fit(tmp_path: Path, frames: int, remedy: str) -> None:
    path = write_movie(tmp_path / "v.mp4", movie(0, frames))
    with pytest.raises(DataError, match=f"no video has 6 frames; the longest, {path}, has {frames}; {remedy}"):
        import_videos(path, tmp_path / "out", frames=6)


def test_a_header_of_huge_frames_is_refused(tmp_path: Path) -> None:
    raw = bytearray(encode(movie(0), container="gif", codec="gif", pixels="rgb8"))
    raw[6:10] = b"\xff" * 4
    (tmp_path / "v.gif").write_bytes(raw)
    with pytest.raises(DataError, match="is not a readable video"):
        video_file(tmp_path / "v.gif", "v", Levels()).read()


def test_rates_and_uneven_times_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for k in range(4):
        write_movie(tmp_path / "set" / f"{k}.mp4", movie(k, 16), rate=10 if k else 30)
    write_movie(tmp_path / "set" / "4.mp4", movie(4, 16), times=[*range(8), *range(12, 20)])
    assert main(["data", "import-videos", str(tmp_path / "set"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "to 30 frames per second" in said
    assert "for even times give --rate, such as --rate " in said
    assert "1 video with unevenly spaced frames, taken as even; the first: " in said
    assert "4.mp4" in said


def test_all_damaged_files_are_named_or_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(6):
        write_movie(tmp_path / "set" / f"{k}.mp4", movie(k, 16))
    (tmp_path / "set" / "3.mp4").write_bytes((tmp_path / "set" / "2.mp4").read_bytes()[:900])
    (tmp_path / "set" / "5.mp4").write_bytes(b"")
    arguments = ["data", "import-videos", str(tmp_path / "set"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "2 of 6 videos cannot be imported" in error
    assert "3.mp4, " in error
    assert "5.mp4; " in error
    assert "--skip-bad" in error
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--skip-bad"]) == 0
    said = capsys.readouterr().out
    assert "6 videos found, 4 taken; left out: 2 unreadable" in said
    assert "2 unreadable videos left out: " in said
    manifest = read_manifest(tmp_path / "out")
    assert manifest.ledger["counts"]["videos"] == {"found": 6, "taken": 4, "left_out": {"unreadable": 2}}
    assert any("unreadable videos left out: 3.mp4, 5.mp4; " in note for note in manifest.ledger["notes"])
    assert sum(manifest.clips(split) for split in manifest.splits) == 4
