"""`verify` detects what is wrong with a dataset and names the clip."""

import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import Manifest, read_manifest
from trajvq.data.storage.shards import shard_name
from trajvq.data.storage.splits import write_split
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD
from trajvq.data.synthetic.scene import make_clips
from trajvq.errors import DataError
from trajvq.metrics.dataset.checks import Check, SplitContents
from trajvq.metrics.dataset.leaks import check_duplicates
from trajvq.metrics.dataset.verify import verify

SIZES = {"train": 40, "val": 8, "test": 8, **dict.fromkeys(OOD, 4)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generate(tmp_path / "data", SIZES, frames=16, size=64)
    return tmp_path / "data"


def faults(folder: Path) -> str:
    return "\n".join(line for check in verify(folder) for line in check.faults)


def warnings(folder: Path) -> str:
    return "\n".join(line for check in verify(folder) for line in check.warnings)


def test_a_generated_dataset_has_no_faults_or_warnings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert all(check == Check(check.name, summary=check.summary) for check in verify(folder))
    assert main(["data", "verify", str(folder)]) == 0
    report = capsys.readouterr().out
    assert "FAULT" not in report
    assert "on average" in report


def test_a_flipped_bit_anywhere_is_detected_and_never_read(folder: Path) -> None:
    rng = np.random.default_rng(0)
    truth = [clip["video"].numpy() for clip in (Clips(folder, "train")[k] for k in range(40))]
    path = folder / shard_name("train", 0)
    raw = path.read_bytes()
    for offset in rng.integers(0, len(raw), 20).tolist():
        damaged = bytearray(raw)
        damaged[offset] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        assert faults(folder), f"byte {offset}"
        try:
            clips = Clips(folder, "train")
        except DataError:
            continue
        for number in range(40):
            try:
                assert (clips[number]["video"].numpy() == truth[number]).all(), f"byte {offset}: wrong pixels, silently"
            except DataError as error:
                assert shard_name("train", 0) in str(error)  # noqa: PT017 - what it says is the property
    path.write_bytes(raw)
    manifest = (folder / "manifest.json").read_bytes()
    for offset in rng.integers(0, len(manifest), 20).tolist():
        damaged = bytearray(manifest)
        damaged[offset] ^= 1 << int(rng.integers(8))
        (folder / "manifest.json").write_bytes(damaged)
        if _same_json(damaged, manifest):  # a bit of white space
            continue
        assert faults(folder), f"byte {offset} of the manifest"


def _same_json(one: bytes | bytearray, other: bytes) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None], preset: str = "default") -> None:
    """Rewrite the training split with consistent files but wrong content."""
    columns = dict(make_clips(0, "train", 0, 40, 16, 64, preset))
    change(columns)
    manifest = read_manifest(folder)
    fresh = Manifest(**{**manifest.__dict__, "splits": {k: v for k, v in manifest.splits.items() if k != "train"}})
    (folder / shard_name("train", 0)).unlink()
    write_split(folder, fresh, "train", ({n: c[k] for n, c in columns.items()} for k in range(len(columns["video"]))))
    fresh.write(folder)


def blank(columns: dict[str, Any]) -> None:
    columns["video"][7] = 255


def moved(columns: dict[str, Any]) -> None:
    columns["pixel"] = columns["pixel"].copy()
    columns["pixel"][9] += 1.0


def swollen(columns: dict[str, Any]) -> None:
    columns["radius"] = columns["radius"].copy()
    columns["radius"][11] *= 2


def absent(columns: dict[str, Any]) -> None:
    columns["pixel"] = columns["pixel"].copy()
    columns["pixel"][5, 3] = np.nan


def unnamed(columns: dict[str, Any]) -> None:
    columns["label"] = columns["label"].copy()
    columns["label"][13] = 9


def outside(columns: dict[str, Any]) -> None:
    columns["pixel"] = columns["pixel"].copy()
    columns["pixel"][3, 2] = -3


def another(columns: dict[str, Any]) -> None:
    corner = columns["video"][8, :, :, :6, :6]
    corner[:, :, 1:5, 1:5] = 0
    assert (columns["pixel"][8] > 12).all()


def far_away(columns: dict[str, Any]) -> None:
    columns["position"] = columns["position"].copy()
    columns["position"][14] += 5e6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (blank, "train clip 7: some frame does not show an object where `pixel` is"),
        (moved, "train clip 9: an object is over 0.25 px from its `pixel`"),
        (swollen, "train clip 11: an object does not have its `radius`"),
        (absent, "train clip 5: pixel is not a number"),
        (unnamed, "train clip 13: its label has no name"),
        (another, "train clip 8: some frame shows more objects than are stored"),
        (far_away, "train clip 14: its position is too coarse"),
        (outside, "train clip 3: an object leaves the frame"),
    ],
)
def test_wrong_clips_are_named(
    folder: Path, change: Callable[[dict[str, Any]], None], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(folder, change)
    assert words in faults(folder)
    assert main(["data", "verify", str(folder)]) == 1
    assert "FAULT" in capsys.readouterr().out


def test_a_clip_of_the_test_split_in_training_is_a_fault(folder: Path) -> None:
    test = make_clips(0, "test", 0, 8, 16, 64)

    def leak(columns: dict[str, Any]) -> None:
        for name in columns:
            columns[name] = columns[name].copy()
            columns[name][4] = test[name][2]

    rewrite(folder, leak)
    assert "1 clips are in several splits: test 2 = train 4" in faults(folder)


def test_repeated_paths_and_still_clips_are_warnings(folder: Path) -> None:
    def repeat(columns: dict[str, Any]) -> None:
        for name in columns:
            columns[name] = columns[name].copy()
            columns[name][6] = columns[name][5]
        columns["video"][6, 0, :, 0, 0] = 254
        columns["video"][20] = columns["video"][20, :1]
        columns["pixel"][20], columns["radius"][20] = columns["pixel"][20, :1], columns["radius"][20, :1]

    rewrite(folder, repeat)
    assert not faults(folder)
    assert "train 5 and train 6" in warnings(folder)
    assert "train clip 20: nothing moves" in warnings(folder)


def test_repeated_paths_are_counted_by_clip_and_not_by_pair() -> None:
    rng, splits = np.random.default_rng(0), {}
    for name, count in (("train", 1500), ("test", 500)):
        pixel = 30 + rng.normal(0, 0.02, (count, 16, 1, 2))  # an object at rest
        pixel[:5] += np.arange(1, 6)[:, None, None, None] + (name == "test") * 10  # but in no two of these
        columns = {"pixel": pixel, "radius": np.ones((count, 16, 1)), "occluded": np.zeros((count, 16, 1), dtype=bool)}
        digest = [f"{name} {number}".encode() for number in range(count)]
        splits[name] = SplitContents(columns=columns, crc=list(range(count)), digest=digest)
    tracemalloc.start()
    (warning,) = check_duplicates(splits).warnings
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    assert warning.startswith("1990 clips have the path of another one within 0.25 px, 1990 of them that of one in ano")


def test_leaks_are_named(folder: Path, tmp_path: Path) -> None:
    from trajvq.data.synthetic.render import render_discs

    count, rng = 60, np.random.default_rng(0)
    pixel = np.round(rng.uniform(10, 54, (count, 16, 2))) + 0.5
    pixel[:, 0] = 12.5 + 30 * (np.arange(count) % 2)[:, None] + np.round(rng.uniform(0, 4, (count, 2)))
    video = np.full((count, 16, 3, 64, 64), 255, dtype=np.uint8)
    render_discs(video, pixel, np.full((count, 16), 4.0), np.zeros((count, 3), dtype=np.uint8))
    source = tmp_path / "leaky.npz"
    np.savez(source, videos=video, labels=np.arange(count) % 2)
    assert main(["data", "import-videos", str(source), "--out", str(tmp_path / "leaky")]) == 0
    report = warnings(tmp_path / "leaky")
    assert "objects have the same sub-pixel position" in report
    assert "all objects have the same radius" in report
    assert "the first position alone predicts 100% of classes" in report


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of several objects. Do not change it."""
    folder = tmp_path_factory.mktemp("verify") / "scenes"
    generate(folder, SIZES, preset="scenes")
    return folder


def test_scenes_have_no_faults_or_warnings(scenes: Path) -> None:
    assert all(check == Check(check.name, summary=check.summary) for check in verify(scenes))


def swapped_radii(columns: dict[str, Any]) -> None:
    columns["radius"] = columns["radius"].copy()
    columns["radius"][19, :, 1] *= 2


def moved_second(columns: dict[str, Any]) -> None:
    columns["pixel"] = columns["pixel"].copy()
    columns["pixel"][19, :, 1] += 1.0


def forgotten(columns: dict[str, Any]) -> None:
    for name in ("pixel", "position", "radius"):
        columns[name] = columns[name].copy()
        columns[name][19, :, 1] = np.nan


def partly_forgotten(columns: dict[str, Any]) -> None:
    columns["radius"] = columns["radius"].copy()
    columns["radius"][19, :, 1] = np.nan


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swapped_radii, "train clip 19: an object does not have its `radius`"),
        (moved_second, "train clip 19: an object is over 0.25 px from its `pixel`"),
        (forgotten, "train clip 19: some frame shows more objects than are stored"),
        (partly_forgotten, "train clip 19: radius is not a number"),
    ],
)
def test_every_object_of_a_clip_is_checked(
    scenes: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    folder = Path(shutil.copytree(scenes, tmp_path / "scenes"))
    rewrite(folder, change, "scenes")
    assert words in faults(folder)


def test_a_film_in_which_nothing_moves_is_said_in_words_and_is_no_fault(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.full((80, 24, 32, 3), 90, dtype=np.uint8))
    out = tmp_path / "flat"
    assert main(["data", "import-videos", str(tmp_path / "flat.npy"), "--out", str(out), "--axes=THWC"]) == 0
    assert main(["data", "verify", str(out)]) == 0
    assert "all pixels have the same color, so nothing moves" in warnings(out)


def test_small_objects_on_wide_textures_are_where_they_are_stored(tmp_path: Path) -> None:
    sizes = dict.fromkeys(SIZES, 4) | {"train": 40}
    generate(tmp_path / "wide", sizes, preset="hard", size=(256, 64))
    assert faults(tmp_path / "wide") == warnings(tmp_path / "wide") == ""


def test_a_dataset_without_clips_is_refused_and_is_a_fault(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = [f"--{name}=0" for name in ("train", "val", "test", "ood")]
    assert main(["data", "generate", "--out", str(tmp_path / "none"), *none]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "a dataset without clips is none; give at least one split 1 or more" in line
    assert not (tmp_path / "none").exists()
    manifest = read_manifest(folder)
    for shard in folder.glob("*.h5"):
        shard.unlink()
    Manifest(**{**manifest.__dict__, "splits": {}}).write(folder)
    assert faults(folder) == "the manifest names no clips; generate or import the dataset again"
