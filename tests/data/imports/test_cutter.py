"""One film becomes clips of all splits: whole or in windows, each with its background, in bounded memory."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.data.imports.sources import write_movie
from trajvq.cli import main
from trajvq.data.imports.collection import Collection, Video
from trajvq.data.imports.levels import Levels
from trajvq.data.imports.videos import import_videos
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest


def film(frames: int = 240, height: int = 48, width: int = 64) -> np.ndarray:
    """A spot that crosses a fixed texture: uint8 (T, H, W, 3)."""
    ground = np.kron(np.random.default_rng(0).integers(60, 140, (height // 4, width // 4, 1)), np.ones((4, 4, 3)))
    video = np.repeat(ground[None].astype(np.uint8), frames, axis=0)
    for t in range(frames):
        row, column = t // 3 % (height - 8), t // 2 % (width - 8)
        video[t, row : row + 8, column : column + 8] = 240
    return video


def clips_of(folder: Path) -> dict[str, np.ndarray]:
    manifest = read_manifest(folder)
    return {s: Clips(folder, s).batch(list(range(manifest.clips(s))))["video"].numpy() for s in manifest.splits}


def test_a_film_is_cut_by_time_and_has_its_background(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = film()
    np.save(tmp_path / "film.npy", video)
    assert main(["data", "import-videos", str(tmp_path / "film.npy"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "1 video, too few for three splits, cut by time into blocks: train " in said
    assert "backgrounds stored: fixed camera in 1 video" in said
    expected = video[: 15 * 16].reshape(15, 16, 48, 64, 3).transpose(0, 1, 4, 2, 3)
    numbers: list[int] = []
    for part in clips_of(tmp_path / "out").values():
        for clip in part:
            numbers += [k for k in range(15) if np.array_equal(clip, expected[k])]
    assert len(numbers) == len(set(numbers)) == 13
    background = Clips(tmp_path / "out", "test")[0]["background"].numpy().transpose(1, 2, 0)
    ground = np.median(video, axis=0)
    assert np.abs(background - ground).max() <= 1
    assert main(["data", "verify", str(tmp_path / "out")]) == 0


def test_windows_show_every_part_of_the_film_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    count = 42
    video = film(frames=16 * count)
    np.save(tmp_path / "film.npy", video)
    arguments = ["data", "import-videos", str(tmp_path / "film.npy"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--tile", "--size=16", "--crop=8,0,48,48"]) == 0
    said = capsys.readouterr().out
    assert "cropped to 48x48, cut into 3 x 3 windows" in said
    cropped = video[:, :, 8:56].reshape(count, 16, 3, 16, 3, 16, 3).transpose(0, 2, 4, 1, 6, 3, 5)
    indices = {cropped[k, r, c].tobytes(): (k, r, c) for k in range(count) for r in range(3) for c in range(3)}
    splits_of_time: dict[int, set[str]] = {}
    total = 0
    for split, part in clips_of(tmp_path / "out").items():
        batch = Clips(tmp_path / "out", split).batch(list(range(len(part))))
        for clip, background in zip(part, batch["background"].numpy(), strict=True):
            k, row, column = indices[clip.tobytes()]
            splits_of_time.setdefault(k, set()).add(split)
            ground = np.median(video, axis=0)[16 * row : 16 * row + 16, 8 + 16 * column : 24 + 16 * column]
            assert np.abs(background.transpose(1, 2, 0) - ground).max() <= 1
            total += 1
    assert all(len(splits) == 1 for splits in splits_of_time.values())
    windows = [cropped[k, r, c] for k in splits_of_time for r in range(3) for c in range(3)]
    assert total == sum((window != window[:1]).any() for window in windows)
    assert f"{len(windows)} windows found, {total} taken; left out: {len(windows) - total} in which no pixel" in said
    assert main(["data", "verify", str(tmp_path / "out")]) == 0


def test_a_picture_need_not_be_square(tmp_path: Path) -> None:
    write_movie(tmp_path / "film.mp4", film(120, 96, 128))
    assert (
        main(["data", "import-videos", str(tmp_path / "film.mp4"), "--out", str(tmp_path / "out"), "--size=64x48"]) == 0
    )
    manifest = read_manifest(tmp_path / "out")
    assert (manifest.height, manifest.width) == (48, 64)


def test_a_long_film_needs_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 frames of 1280x720 are 276 MB; only a few of them are in memory at a time."""
    small = film(100, 36, 64)
    levels = Levels()

    def stored() -> Iterator[np.ndarray]:
        for frame in small:
            yield frame.repeat(20, axis=0).repeat(20, axis=1)[None]

    source = Collection([Video("film", None, stored, levels)], "a film", levels)
    monkeypatch.setattr("trajvq.data.imports.videos.read_collection", lambda *_: source)
    tracemalloc.start()
    try:
        import_videos(tmp_path / "film", tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()
