"""Every clip gets the background of its film where that is known, whatever the other films are like."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.imports.test_pictures import stack
from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest

LENGTH = 8  # frames of a clip


def film(seed: int, clips: int) -> np.ndarray:
    """A square over a texture of its own, which rests for every other clip: uint8 (T, H, W)."""
    video = np.repeat(ground(seed)[None], clips * LENGTH, axis=0)
    for t in range(len(video)):
        clip, frame = divmod(t, LENGTH)
        column = 4 + 5 * (clip // 2) + (frame // 2 if clip % 2 else 0)
        video[t, 10:16, column : column + 6] = 250
    return video


def ground(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 160, (32, 32), dtype=np.uint8)


def imported(folder: Path, out: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Import a folder, and return the pictures, uint8 (T, H, W), and the background of every clip."""
    assert main(["data", "import-videos", str(folder), "--out", str(out), f"--frames={LENGTH}"]) == 0
    assert main(["data", "verify", str(out)]) == 0
    manifest = read_manifest(out)
    batches = [Clips(out, split).batch(list(range(manifest.clips(split)))) for split in manifest.splits]
    return [
        (clip[:, 0].numpy(), background[0].numpy())
        for batch in batches
        for clip, background in zip(batch["video"], batch["background"], strict=True)
    ]


@pytest.mark.parametrize("short", [1, 2])
def test_short_films_take_no_background_from_the_long_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], short: int
) -> None:
    long = 5
    for number in range(long + short):
        stack(tmp_path / "films" / f"{number}.tif", film(number, 10 if number < long else 2))
    clips = imported(tmp_path / "films", tmp_path / "out")
    said = capsys.readouterr().out
    videos = "1 video" if short == 1 else "2 videos"
    assert "backgrounds stored, for clips of short videos their own median: fixed camera in 5 videos; " in said
    assert f"{videos} of less than 4 clips, without a common background" in said
    grounds = [ground(number) for number in range(long)]
    of_film = [
        [number for number in range(long) if np.array_equal(background, grounds[number])] for _, background in clips
    ]
    assert sum(map(len, of_film)) == 10 * long
    medians = [
        np.array_equal(background, np.sort(pictures, axis=0)[(LENGTH - 1) // 2])
        for (pictures, background), films in zip(clips, of_film, strict=True)
        if not films
    ]
    assert medians == [True] * 2 * short
