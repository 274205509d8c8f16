"""Imported tracks become clips that show exactly those tracks."""

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from trajvq.cli import main
from trajvq.data.imports.tracks import import_tracks, read_tracks, resample
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.storage.shards import read_column

HEADER = "clip,frame,x,y,label\n"


def table(path: Path, tracks: int = 12, points: int = 9) -> Path:
    rng = np.random.default_rng(0)
    lines = [HEADER]
    for clip in range(tracks):
        xy = rng.normal(0, 300, (points, 2)).cumsum(axis=0) + 5000
        lines += [f"{clip},{3 * f},{x},{y},{'up' if clip % 2 else 'down'}\n" for f, (x, y) in enumerate(xy)]
    path.write_text("".join(lines))
    return path


def test_the_picture_shows_the_track(tmp_path: Path) -> None:
    source = table(tmp_path / "t.csv")
    manifest = import_tracks(source, tmp_path / "out", val=2, test=2)
    assert manifest.classes == ["down", "up"]
    assert main(["data", "verify", str(tmp_path / "out")]) == 0
    tracks = read_tracks(source)
    count = 0
    for split in ("train", "val", "test"):
        pixel = read_column(tmp_path / "out", manifest, split, "pixel")
        position = read_column(tmp_path / "out", manifest, split, "position")
        assert pixel is not None
        assert position is not None
        for path, points in zip(pixel[:, :, 0], position[:, :, 0], strict=True):
            errors = [np.abs(resample(track, 16) - points).max() for track in tracks]
            assert min(errors) < 0.01
            flat = points[:, :2] * [1, -1]  # y is up in the track, down in the picture
            scale = np.linalg.norm(path[0] - path[-1]) / np.linalg.norm(flat[0] - flat[-1])
            np.testing.assert_allclose((flat - flat[0]) * scale, path - path[0], atol=0.02)
            span = (path.max(axis=0) - path.min(axis=0)).max()
            assert abs(span - 0.7 * 64) < 0.1
            count += 1
    assert count == len(tracks)


def test_y_may_point_down(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text(HEADER + "".join(f"{c},{f},{f},{f * f},a\n" for c in range(5) for f in range(5)))
    for extra, sign in (([], -1), (["--y-down"], 1)):
        out = tmp_path / f"out{sign}"
        assert main(["data", "import-tracks", str(source), "--out", str(out), "--val=1", "--test=1", *extra]) == 0
        step = np.diff(Clips(out, "train")[0]["pixel"][:, 0].numpy(), axis=0)
        assert (step[:, 0] > 0).all()
        assert (sign * step[:, 1] > 0).all()


def test_parquet_with_three_dimensions_and_without_labels(tmp_path: Path) -> None:
    time = np.linspace(0, 6, 40)
    rows: dict[str, list[object]] = {"clip": [], "frame": [], "x": [], "y": [], "z": []}
    for clip in range(6):
        rows["clip"] += [f"track {clip}"] * 40
        rows["frame"] += list(range(40))
        for name, value in (("x", np.cos(time)), ("y", np.sin(time)), ("z", time * (1 + clip))):
            rows[name] += value.tolist()
    parquet.write_table(pa.table(rows), tmp_path / "t.parquet")
    out = tmp_path / "out"
    assert main(["data", "import-tracks", str(tmp_path / "t.parquet"), "--out", str(out), "--size=48"]) == 0
    assert main(["data", "verify", str(out)]) == 0
    assert read_manifest(out).classes == []
    first = Clips(out, "train")[0]
    assert np.ptp(first["radius"].numpy()) > 0.05  # a nearer object is larger
    assert first["pixel"][0, 0, 1] > first["pixel"][-1, 0, 1]  # z points up


def test_background_pictures_are_stored_one_per_chunk(tmp_path: Path) -> None:
    source = table(tmp_path / "t.csv")
    assert main(["data", "import-tracks", str(source), "--out", str(tmp_path / "out"), "--preset=hard"]) == 0
    assert main(["data", "verify", str(tmp_path / "out")]) == 0
    with h5py.File(tmp_path / "out" / "train-00000.h5") as file:
        assert file["background"].chunks == (1, 3, 64, 64)


BAD = {
    "no column": ("clip,frame,x\n0,0,1\n", "no column 'y'"),
    "empty": (HEADER, "holds no row"),
    "nothing": ("", "not a readable table"),
    "words": (HEADER + "0,0,a,1,u\n0,1,2,3,u\n", "column 'x' holds"),
    "NaN": (HEADER + "0,0,nan,1,u\n0,1,2,3,u\n", "column 'x' has 1 empty"),
    "infinite": (HEADER + "0,0,1,1,u\n0,1,inf,3,u\n", "x is inf in row 2"),
    "absurd": (HEADER + "0,0,1,1,u\n0,1,1e300,3,u\n", "x is 1e+300 in row 2"),
    "hole": (HEADER + "0,0,,1,u\n0,1,2,3,u\n", "column 'x' has 1 empty"),
    "one point": (HEADER + "0,0,1,1,u\n", "has one point"),
    "twice": (HEADER + "0,0,1,1,u\n0,0,2,2,u\n", "has frame 0 twice"),
    "two labels": (HEADER + "0,0,1,1,u\n0,1,2,2,v\n", "several labels: u, v"),
    "ragged": (HEADER + "0,0,1\n0,1,2,3,4,5,6\n", "not a readable table"),
    "too few": (HEADER + "0,0,1,1,u\n0,1,2,2,u\n", "leave none"),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_tables_are_an_error_of_one_line_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    text, message = BAD[case]
    source = tmp_path / "t.csv"
    source.write_text(text)
    extra = ["--val=1"] if case == "too few" else []
    assert main(["data", "import-tracks", str(source), "--out", str(tmp_path / "out"), *extra]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
