"""The pixels of bench-v1 and of every style are frozen: they are the same on every processor."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from trajvq.data.storage.shards import read_column
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.motion import FAMILIES
from trajvq.data.synthetic.presets import OOD, PRESETS, fingerprint
from trajvq.data.synthetic.scene import lay_out, make_clips
from trajvq.metrics.dataset.verify import verify

GOLDEN = {
    "default": "f980885fbbe3baede37c2e4eb2fe786597f0f17f442199922036a2cd7a312c3e",
    "seed200": "aa5bfd2feb0ba3c8cd3dcf269daf2f75e1ac34223dff0d480c08813cf7fc2d8f",
    "scenes": "5ffe5880a8dbbf23bc386d5f0154104aa2701f802fe8c270a22a2282ffbbe064",
    "hard": "f3c9eb596139ac6353b96ea34122a405b4beb423d4fdbf2ecf4379de7b013919",
}


@pytest.mark.parametrize("preset", sorted(GOLDEN))
def test_the_pixels_of_a_style_never_change(preset: str) -> None:
    video = make_clips(0, "train", 0, 64, 16, 64, preset)["video"]
    assert hashlib.sha256(video.tobytes()).hexdigest() == GOLDEN[preset]


@pytest.mark.parametrize("preset", sorted(GOLDEN))
def test_every_motion_but_a_line_turns_both_ways(preset: str) -> None:
    clips = lay_out(PRESETS[preset], 0, "train", 0, 400, 16, 64)
    steps = np.diff(clips["pixel"][:, :, 0].astype(float), axis=1)
    turn = (steps[:, :-1, 0] * steps[:, 1:, 1] - steps[:, :-1, 1] * steps[:, 1:, 0]).sum(axis=1)
    for label in range(1, len(FAMILIES)):
        assert 0.35 < (turn[clips["label"] == label] > 0).mean() < 0.65


@pytest.mark.parametrize(("frames", "size"), [(15, 65), (3, 33), (2, 33), (4, 33), (4, 32)])
def test_noise_is_for_clips_of_any_number_of_pixels(frames: int, size: int) -> None:
    video = make_clips(0, "train", 0, 4, frames, size, "hard")["video"]
    assert (video[2:] == make_clips(0, "train", 2, 4, frames, size, "hard")["video"]).all()
    assert len({clip.tobytes() for clip in video}) == 4


def test_the_benchmark_is_generated_pixel_for_pixel(tmp_path: Path) -> None:
    manifest = generate(tmp_path / "bench", preset="bench-v1")
    for split, expected in PRESETS["bench-v1"].pixels.items():
        crc32 = read_column(tmp_path / "bench", manifest, split, "crc32")
        assert crc32 is not None
        assert fingerprint(crc32) == expected
    assert set(manifest.splits) == set(PRESETS["bench-v1"].pixels)


def test_verify_compares_the_pixels_of_the_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = dict.fromkeys(OOD, 0) | {"train": 8, "val": 4, "test": 4}
    generate(tmp_path / "bench", sizes, frames=4, size=32)
    assert "benchmark" not in [check.name for check in verify(tmp_path / "bench")]
    monkeypatch.setitem(PRESETS, "default", PRESETS["bench-v1"])
    (check,) = [check for check in verify(tmp_path / "bench") if check.name == "benchmark"]
    assert any(fault.startswith("train is not that of") for fault in check.faults)
