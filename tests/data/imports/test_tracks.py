"""Imported tracks become clips that show exactly those tracks."""

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.data.imports.tables import rows, trackpy, write
from trajvq.cli import main
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.points import read_tracks
from trajvq.data.imports.track_clips import resample
from trajvq.data.imports.tracks import import_tracks
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
    tracks = read_tracks(Ledger(source)).tracks
    count = 0
    for split in ("train", "val", "test"):
        pixel = read_column(tmp_path / "out", manifest, split, "pixel")
        position = read_column(tmp_path / "out", manifest, split, "position")
        assert pixel is not None
        assert position is not None
        for path, points in zip(pixel[:, :, 0], position[:, :, 0], strict=True):
            errors = [np.abs(resample(track.time, track.position, 16) - points).max() for track in tracks]
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
    "words": (HEADER + "0,0,a,1,u\n0,1,2,3,u\n", "row 1 has x a"),
    "NaN": (HEADER + "0,0,nan,1,u\n0,1,2,3,u\n", "row 1 has x nan"),
    "infinite": (HEADER + "0,0,1,1,u\n0,1,inf,3,u\n", "row 2 has x inf"),
    "absurd": (HEADER + "0,0,1,1,u\n0,1,1e300,3,u\n", "row 2 has x 1e300"),
    "hole": (HEADER + "0,0,,1,u\n0,1,2,3,u\n", "row 1 has an empty x"),
    "one point": (HEADER + "0,0,1,1,u\n", "has one point"),
    "twice": (HEADER + "0,0,1,1,u\n0,0,2,2,u\n", "has frame 0 twice"),
    "two labels": (HEADER + "0,0,1,1,u\n0,1,2,2,v\n", "several labels: u, v"),
    "ragged": (HEADER + "0,0,1,1,u\n0,0,1\n0,1,2,3,4,5,6\n", "row 2 has 3 cells, not 5"),
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


def imported(out: Path, source: Path, *options: str) -> dict[str, list[dict[str, np.ndarray]]]:
    """Import a table and return the clips of each split, with their 3-D paths."""
    assert main(["data", "import-tracks", str(source), "--out", str(out), *options]) == 0
    manifest, clips = read_manifest(out), {}
    for split in manifest.splits:
        position = read_column(out, manifest, split, "position")
        assert position is not None
        clips[split] = [
            {name: value.numpy() for name, value in Clips(out, split)[k].items()} | {"position": path[:, 0]}
            for k, path in enumerate(position)
        ]
    return clips


def test_a_z_that_does_not_change_gives_the_clips_without_it(tmp_path: Path) -> None:
    points = rows()
    for name, header, line in (("flat", "clip,frame,x,y", ""), ("zero", "clip,frame,x,y,z", ",0.0")):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "t.csv", header, "{0},{1},{2},{3}" + line, points)
    write(tmp_path / "t.csv", "clip,frame,x,y,z", lambda c, f, x, y: f"{c},{f},{x},{y},{c}.5", points)
    flat = imported(tmp_path / "a", tmp_path / "flat" / "t.csv")
    for other in (tmp_path / "zero" / "t.csv", tmp_path / "t.csv"):
        clips = imported(tmp_path / "b" / other.parent.name, other)
        for split, expected in flat.items():
            for clip, same in zip(clips[split], expected, strict=True):
                np.testing.assert_array_equal(clip["video"], same["video"])
                np.testing.assert_array_equal(clip["pixel"], same["pixel"])


@pytest.mark.parametrize("offset", [0.0, 4_493_780.0, 4e9])
def test_motion_is_kept_however_large_the_coordinates_are(tmp_path: Path, offset: float) -> None:
    step = max(offset * 1e-8, 1.0)
    source = write(
        tmp_path / "t.csv",
        line=lambda c, f, x, y: f"{c},{f},{offset + step * x / 100:.10f},{offset + step * y / 100:.10f}",
    )
    clips = imported(tmp_path / "out", source)
    subtracted = read_manifest(tmp_path / "out").ledger.get("origin")
    assert (subtracted is None) == (offset == 0)
    paths = np.array([(x, y) for _, _, x, y in rows()]).reshape(6, 8, 2) * step / 100
    for clip in clips["train"]:
        steps = (clip["position"][-1] - clip["position"][0])[:2]
        errors = np.abs(paths[:, -1] - paths[:, 0] - steps).max(axis=1)
        assert errors.min() < 1e-3 * np.ptp(paths[int(errors.argmin())], axis=0).max()


def test_a_rest_up_to_rounding_stays_at_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def line(c: str, f: int, x: float, y: float) -> str:
        return f"{c},{f},{5 + 30 * f * (c == '0') + 1e-9 * f},5.0"

    clips = imported(tmp_path / "out", write(tmp_path / "t.csv", line=line))
    moving = [np.ptp(clip["pixel"], axis=0).max() for part in clips.values() for clip in part]
    assert sorted(moving)[:-1] == [0.0] * 5
    assert max(moving) > 40
    assert "5 clips moving less than rounding taken as at rest" in capsys.readouterr().out


def test_a_track_is_cut_at_a_large_gap_and_its_pieces_stay_in_one_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def line(c: str, f: int, x: float, y: float) -> str:
        return f"{c},{f + 9000 * (f > 9)},{x + 1000 * (f > 9)},{y}"

    clips = imported(tmp_path / "out", write(tmp_path / "t.csv", line=line, points=rows(6, 20)))
    assert {split: len(part) for split, part in clips.items()} == {"train": 8, "val": 2, "test": 2}
    assert "6 tracks cut where more than 20% is missing in one place, first clip 0" in capsys.readouterr().out
    for part in clips.values():
        starts = np.array([clip["position"][0, 0] for clip in part]).reshape(-1, 2)
        assert (np.diff(starts) > 900).all()  # neighbors are the two pieces of one track


@pytest.mark.parametrize(
    ("labels", "classes"),
    [(("20001", "999001"), ["class 20001", "class 999001"]), (("true", "false"), ["false", "true"]),
     (("1", "2"), ["class 1", "class 2"]), (("1.0", "0.0"), ["class 0", "class 1"])],
)  # fmt: skip
def test_there_are_as_many_classes_as_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: tuple[str, str], classes: list[str]
) -> None:
    def line(c: str, f: int, x: float, y: float) -> str:
        return f"{c},{f},{x},{y},{labels[int(c) % 2]}"

    source = write(tmp_path / "t.csv", "clip,frame,x,y,label", line)
    imported(tmp_path / "out", source)
    assert read_manifest(tmp_path / "out").classes == classes
    assert f"classes: 2 ({', '.join(classes)})" in capsys.readouterr().out
    imported(tmp_path / "named", source, "--classes=up,down")
    assert read_manifest(tmp_path / "named").classes == ["up", "down"]


def test_few_long_tracks_are_cut_by_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = imported(tmp_path / "out", write(tmp_path / "t.csv", points=rows(1, 160)))
    assert set(clips) == {"train", "val", "test"}
    printed = capsys.readouterr().out
    assert "1 track cut into clips of 16 points; see --points" in printed
    assert "10 clips found, 8 taken; left out: 2 between blocks" in printed


def test_the_ledger_is_in_the_manifest(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "TRACK_ID;t;x;y", "{0};{1};{2};{3}")
    source.write_text(source.read_text() + "9;0;lost;1\n")
    imported(tmp_path / "out", source, "--skip-bad")
    ledger = read_manifest(tmp_path / "out").ledger
    assert ledger["counts"]["rows"] == {"found": 49, "taken": 48, "left_out": {"that cannot be used": 1}}
    assert ledger["counts"]["tracks"] == {"found": 6, "taken": 6, "left_out": {}}
    assert ledger["counts"]["clips"]["taken"] == 6
    assert "separated by semicolons" in ledger["notes"]
    assert str(tmp_path) not in str(ledger)


def test_columns_points_and_scores_are_options(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", 'a,b,"c, d",e', points=rows(6, 12))
    columns = "--columns=clip=a, frame=b,x=c, d,y=e"
    clips = imported(tmp_path / "out", source, columns, "--points=4", "--y-down")
    assert sum(map(len, clips.values())) == 18
    up = imported(tmp_path / "up", trackpy(tmp_path / "p.csv"), "--no-y-down")
    down = imported(tmp_path / "down", tmp_path / "p.csv")
    middle = 32.0
    np.testing.assert_allclose(
        up["val"][0]["pixel"][..., 1] - middle, middle - down["val"][0]["pixel"][..., 1], atol=0.01
    )


@pytest.mark.parametrize("option", ["--columns=clip", "--columns=clip=a,clip=b", "--columns=click=a", "--points=1"])
def test_wrong_options_are_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    source = write(tmp_path / "t.csv")
    assert main(["data", "import-tracks", str(source), "--out", str(tmp_path / "out"), option]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("trajvq: ")
    assert printed.count("\n") == 1


def test_every_piece_of_a_track_has_its_label(tmp_path: Path) -> None:
    def line(c: str, f: int, x: float, y: float) -> str:
        return f"{c},{f},{f},{f if int(c) % 2 else -f},{'up' if int(c) % 2 else 'down'}"

    clips = imported(tmp_path / "out", write(tmp_path / "t.csv", "clip,frame,x,y,label", line), "--points=4")
    for clip in [clip for part in clips.values() for clip in part]:
        assert (clip["position"][-1, 1] > clip["position"][0, 1]) == bool(clip["label"])


@pytest.mark.parametrize(("placeholder", "jumps"), [(None, 0), ("0,0", 12), ("-999,-999", 12)])
def test_placeholders_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], placeholder: str | None, jumps: int
) -> None:
    def line(clip: str, frame: int, x: float, y: float) -> str:
        cells = placeholder if placeholder and frame in (9, 10) else f"{x + 500},{y + 500}"
        return f"{clip},{frame},{cells}"

    source = write(tmp_path / "t.csv", line=line, points=rows(points=20))
    assert main(["data", "import-tracks", str(source), "--out", str(tmp_path / "out"), "--size", "32"]) == 0
    printed = capsys.readouterr().out
    assert ("jump" in printed) == bool(jumps)
    assert f"{jumps} jumps at more than 10 times the usual speed in 6 tracks, first in clip 0" in printed or not jumps


def animals_table(path: Path, animals: int, parts: int = 6, frames: int = 160) -> Path:
    """A table of ``part.x, part.y`` columns whose x is the number of the frame, and y that of the animal and part.

    The parts come into view one after another, and are hidden now and then.
    """
    names = [f"part{part}" for part in range(parts)]
    lines = ["track,frame_idx," + ",".join(f"{name}.x,{name}.y" for name in names)]
    for animal in range(animals):
        for f in range(frames):
            hidden = [f < 12 * part or (f // 7 + 3 * part) % 11 == 0 for part in range(parts)]
            cells = ["," if hidden[part] else f"{f},{100 * animal + part}" for part in range(parts)]
            lines.append(f"mouse{animal},{f},{','.join(cells)}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("animals", [1, 2])
def test_parts_of_few_animals_are_in_different_splits_at_different_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], animals: int
) -> None:
    clips = imported(tmp_path / "out", animals_table(tmp_path / "t.csv", animals))
    assert set(clips) == {"train", "val", "test"}
    whole = f"{6 * animals} tracks of {animals} animal{'s' * (animals > 1)}"
    printed = capsys.readouterr().out
    assert f"{whole} cut into clips of 16 points; see --points" in printed
    assert f"{whole}, too few for three splits, cut by time into common blocks" in printed
    times = sorted(
        (round(float(clip["position"][0, 1])) // 100, *clip["position"][[0, -1], 0].tolist(), split)
        for split, part in clips.items()
        for clip in part
    )
    for number, (animal, _, stop, split) in enumerate(times):
        later = [begin for other, begin, _, name in times[number + 1 :] if other == animal and name != split]
        assert all(begin > stop for begin in later)


def test_parts_of_an_animal_stay_in_one_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = imported(tmp_path / "out", animals_table(tmp_path / "t.csv", 5))
    animals = [{round(float(clip["position"][0, 1])) // 100 for clip in part} for part in clips.values()]
    assert [len(some) for some in animals] == [3, 1, 1]
    assert len(set.union(*animals)) == 5
    assert "25 tracks with the animal of another, kept in its split" in capsys.readouterr().out


def test_rows_of_the_body_parts_of_an_animal_stay_in_one_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{a},{p},{f},{f},{100 * int(a) + p}" for a in "01234" for p in range(6) for f in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["mouse,bodypart,frame,x,y", *lines]))
    clips = imported(tmp_path / "out", tmp_path / "t.csv", "--columns=clip=mouse+bodypart")
    animals = [{round(float(clip["position"][0, 1])) // 100 for clip in part} for part in clips.values()]
    assert sum(map(len, animals)) == len(set.union(*animals)) == 5
    printed = capsys.readouterr().out
    assert "columns: clip=mouse+bodypart, frame=frame, x=x, y=y, animal=mouse" in printed
    assert "25 tracks with the animal of another, kept in its split" in printed
