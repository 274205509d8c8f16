"""``trajvq data`` reads sizes, parts of frames and names as users write them."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.imports.tables import write
from trajvq.cli import main
from trajvq.data.storage.manifest import read_manifest

FEW = ["--train=8", "--val=4", "--test=4", "--ood=0", "--frames=4", "--workers=1"]


@pytest.mark.parametrize("preset", ["default", "hard"])
@pytest.mark.parametrize(("size", "height", "width"), [("48x32", 32, 48), ("32x48", 48, 32), ("32", 32, 32)])
def test_generated_clips_need_not_be_square(tmp_path: Path, preset: str, size: str, height: int, width: int) -> None:
    out = tmp_path / "out"
    arguments = ["data", "generate", "--out", str(out), "--preset", preset, "--size", size, *FEW]
    assert main(arguments) == 0
    manifest = read_manifest(out)
    assert (manifest.height, manifest.width) == (height, width)
    assert main(["data", "verify", str(out)]) == 0
    assert main(arguments) == 0, "the same command continues"
    assert read_manifest(out).sha256 == manifest.sha256


def test_tracks_take_a_size_and_names(tmp_path: Path) -> None:
    rows = [f"{c},{f},{f * (c + 1)},{f * f},{c % 2 + 1}\n" for c in range(9) for f in range(5)]
    (tmp_path / "t.csv").write_text("clip,frame,x,y,label\n" + "".join(rows))
    arguments = ["data", "import-tracks", str(tmp_path / "t.csv"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--size=64x48", "--classes=up,down"]) == 0
    manifest = read_manifest(tmp_path / "out")
    assert (manifest.height, manifest.width, manifest.classes) == (48, 64, ["up", "down"])
    assert main(["data", "verify", str(tmp_path / "out")]) == 0


def test_videos_take_names(tmp_path: Path) -> None:
    videos = np.random.default_rng(0).integers(0, 255, (12, 4, 3, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "v.npz", videos=videos, labels=np.arange(12) % 4)
    out = str(tmp_path / "out")
    names = "linear,circular,helical,parabolic"
    assert main(["data", "import-videos", str(tmp_path / "v.npz"), "--out", out, "--classes", names]) == 0
    assert read_manifest(Path(out)).classes == names.split(",")


OPTIONS = ["--size=big", "--size=64x", "--size=4x64", "--size=0", "--frames=0", "--frames=1", "--seed=-1"]


@pytest.mark.parametrize("option", [*OPTIONS, "--crop=1,2,3", "--crop=0,0,4,4", "--classes=a,,b"])
def test_what_cannot_be_read_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    np.savez(tmp_path / "v.npz", videos=np.zeros((12, 4, 3, 16, 16), np.uint8), labels=np.arange(12) % 2)
    assert main(["data", "import-videos", str(tmp_path / "v.npz"), "--out", str(tmp_path / "out"), option]) == 2
    error = capsys.readouterr().err
    assert error.startswith("trajvq: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("option", ["--size=0", "--frames=0", "--seed=-1", "--seed=1.5"])
def test_tracks_of_impossible_options_are_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    source = write(tmp_path / "t.csv")
    assert main(["data", "import-tracks", str(source), "--out", str(tmp_path / "out"), option]) == 2
    error = capsys.readouterr().err
    assert error.startswith("trajvq: ")
    assert error.count("\n") == 1
