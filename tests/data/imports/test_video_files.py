"""Video files come upright, with what is known of their times, and damaged ones are named."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.imports.sources import movie, write_movie
from trajvq.cli import main
from trajvq.data.imports.levels import Levels
from trajvq.data.imports.video_files import video_file
from trajvq.data.storage.manifest import read_manifest


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


def test_rates_and_uneven_times_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for k in range(4):
        write_movie(tmp_path / "set" / f"{k}.mp4", movie(k, 16), rate=10 if k else 30)
    write_movie(tmp_path / "set" / "4.mp4", movie(4, 16), times=[*range(8), *range(12, 20)])
    assert main(["data", "import-videos", str(tmp_path / "set"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "to 30 frames per second" in said
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
    assert "2 unreadable videos left out: " in capsys.readouterr().out
    manifest = read_manifest(tmp_path / "out")
    assert sum(manifest.clips(split) for split in manifest.splits) == 4
