"""Arrays of videos are imported completely, or not at all with an error of one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajvq.cli import main
from trajvq.data.imports.videos import import_videos
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.storage.splits import split_by_class
from trajvq.errors import DataError


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def videos(count: int = 20) -> np.ndarray:
    return np.random.default_rng(0).random((count, 4, 3, 16, 20)).astype(np.float32)


@pytest.mark.parametrize("order", ["NTCHW", "NCTHW"])
@pytest.mark.parametrize("kind", ["float32", "float64", "uint8"])
def test_types_and_axis_orders_are_detected_and_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], order: str, kind: str
) -> None:
    clips = np.rint(videos() * 255).astype(np.uint8)
    array = clips if kind == "uint8" else (clips / 255).astype(kind)
    if order == "NCTHW":
        array = array.transpose(0, 2, 1, 3, 4)
    source = save(tmp_path / "v.npz", videos=array, labels=np.arange(20) % 4)
    assert (
        main(["data", "import-videos", str(source), "--out", str(tmp_path / "out"), "--val", "4", "--test", "4"]) == 0
    )
    printed = capsys.readouterr().out
    assert kind in printed
    assert ("(N, T, 3, H, W)" if order == "NTCHW" else "(N, 3, T, H, W)") in printed
    label_of: dict[bytes, int] = {}
    for split in ("train", "val", "test"):
        part = Clips(tmp_path / "out", split)
        assert np.bincount([int(part[k]["label"]) for k in range(len(part))]).tolist() == [len(part) // 4] * 4
        label_of |= {part[k]["video"].numpy().tobytes(): int(part[k]["label"]) for k in range(len(part))}
    assert label_of == {clip.tobytes(): k % 4 for k, clip in enumerate(clips)}


def test_labels_may_be_words_or_missing(tmp_path: Path) -> None:
    words = save(tmp_path / "w.npz", videos=videos(), labels=np.array(["up", "down"] * 10))
    assert import_videos(words, tmp_path / "words").classes == ["down", "up"]
    none = save(tmp_path / "n.npz", videos=videos())
    assert import_videos(none, tmp_path / "none").classes == []
    assert "label" not in Clips(tmp_path / "none", "train")[0]


def test_the_splits_depend_on_the_seed(tmp_path: Path) -> None:
    source = save(tmp_path / "v.npz", videos=videos(), labels=np.arange(20) % 4)
    first, same, other = (import_videos(source, tmp_path / n, seed=s) for n, s in (("a", 0), ("b", 0), ("c", 1)))
    assert first.sha256 == same.sha256 != other.sha256
    assert read_manifest(tmp_path / "a").clips("test") == 4


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no videos": ({"seen": videos(), "drawn": videos()}, "name the one to import with --array"),
    "wrong shape": ({"videos": videos()[0, 0, 0]}, "shape"),
    "no color axis": ({"videos": np.zeros((4, 5, 6, 8, 8), np.uint8)}, "shape"),
    "NaN": ({"videos": np.where(videos() < 0.999, videos(), np.nan)}, "NaN"),
    "wrong type": ({"videos": np.zeros((4, 5, 3, 8, 8), complex)}, "complex128"),
    "nothing": ({"videos": np.zeros((4, 5, 3, 8, 8), np.int32)}, "all values of int32 are 0"),
    "pickle": ({"videos": np.array([{"a": 1}], dtype=object)}, "not a readable"),
    "labels short": ({"videos": videos(), "labels": np.zeros(3, int)}, "labels have shape"),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_archives_are_an_error_of_one_line_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    arrays, message = BAD[case]
    source = save(tmp_path / "v.npz", **arrays)
    assert main(["data", "import-videos", str(source), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["v.npz"]


def test_too_few_clips_for_the_splits(tmp_path: Path) -> None:
    source = save(tmp_path / "v.npz", videos=videos())
    with pytest.raises(DataError, match="leave none"):
        import_videos(source, tmp_path / "out", val=10, test=10)
    (tmp_path / "broken.npz").write_bytes((tmp_path / "v.npz").read_bytes()[:200])
    with pytest.raises(DataError, match="not a readable"):
        import_videos(tmp_path / "broken.npz", tmp_path / "out")


def test_the_folds_of_a_cross_validation_test_every_video_once(tmp_path: Path) -> None:
    labels = np.repeat(np.arange(4), 10)
    folds = [split_by_class(labels, {"val": 4, "test": 8}, 3, fold) for fold in range(5)]
    assert sorted(np.concatenate([fold["test"] for fold in folds])) == list(range(40))
    for fold in folds:
        assert sorted(np.concatenate(list(fold.values()))) == list(range(40))
        assert np.bincount(labels[fold["test"]]).tolist() == [2, 2, 2, 2]
    with pytest.raises(DataError, match="make 5, counted from 0"):
        split_by_class(labels, {"val": 4, "test": 8}, 3, 5)
