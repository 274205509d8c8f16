"""The pixels of bench-v1 and of every style are frozen: they are the same on every processor."""

import hashlib
from pathlib import Path

import pytest

from trajvq.data.storage.shards import read_column
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD, PRESETS, fingerprint
from trajvq.data.synthetic.scene import make_clips
from trajvq.metrics.dataset.verify import verify

GOLDEN = {
    "default": "d891194d72dde414b443a303ec477773488f722ba7ad064f1b3e199cae9cfaf3",
    "seed200": "4d693988583fc08951ca3019575b5f0cacff76893789967af7f98d984d6a3c00",
    "scenes": "a423556c4d93942fce6dccc157a75b3bfd3688890618ba8ba50c207a39d6cb12",
    "hard": "a03ee2c08a136c5df930bae27f06f715d8181ad725ac70193dbdccd2c5aeaec1",
}


@pytest.mark.parametrize("preset", sorted(GOLDEN))
def test_the_pixels_of_a_style_never_change(preset: str) -> None:
    video = make_clips(0, "train", 0, 64, 16, 64, preset)["video"]
    assert hashlib.sha256(video.tobytes()).hexdigest() == GOLDEN[preset]


@pytest.mark.parametrize(("frames", "size"), [(15, 65), (3, 33), (2, 33), (4, 33), (4, 32)])
def test_noise_is_for_clips_of_any_number_of_pixels(frames: int, size: int) -> None:
    video = make_clips(0, "train", 0, 4, frames, size, "hard")["video"]
    assert (video[2:] == make_clips(0, "train", 2, 4, frames, size, "hard")["video"]).all()
    assert len({clip.tobytes() for clip in video}) == 4


def test_the_benchmark_is_generated_pixel_for_pixel(tmp_path: Path) -> None:
    manifest = generate(tmp_path / "bench", preset="bench-v1", progress=False)
    for split, expected in PRESETS["bench-v1"].pixels.items():
        crc32 = read_column(tmp_path / "bench", manifest, split, "crc32")
        assert crc32 is not None
        assert fingerprint(crc32) == expected
    assert set(manifest.splits) == set(PRESETS["bench-v1"].pixels)


def test_verify_compares_the_pixels_of_the_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = dict.fromkeys(OOD, 0) | {"train": 8, "val": 4, "test": 4}
    generate(tmp_path / "bench", sizes, frames=4, size=32, progress=False)
    assert "benchmark" not in [check.name for check in verify(tmp_path / "bench")]
    monkeypatch.setitem(PRESETS, "default", PRESETS["bench-v1"])
    (check,) = [check for check in verify(tmp_path / "bench") if check.name == "benchmark"]
    assert any(fault.startswith("train is not that of") for fault in check.faults)
