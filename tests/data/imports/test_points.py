"""Tables of any program become the same tracks, and what cannot be used is named all at once."""

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.data.imports.tables import deeplabcut, mot, rows, sleap, trackmate, trackpy, write
from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.points import Recording, read_tracks
from trajvq.errors import DataError

EXPECTED = {name: [(f, x, y) for other, f, x, y in rows() if other == name] for name in map(str, range(6))}


def read(path: Path, **options: Any) -> Recording:
    return read_tracks(Ledger(path), **options)


def check(recording: Recording, scale: float = 1.0) -> None:
    """Check that the tracks are those of `rows`, whatever their names."""
    assert len(recording.tracks) == len(EXPECTED)
    for track, points in zip(recording.tracks, EXPECTED.values(), strict=True):
        expected = np.array(points)
        np.testing.assert_allclose((track.time - track.time[0]) / scale, expected[:, 0], atol=1e-9)
        np.testing.assert_allclose(track.position[:, :2], expected[:, 1:], atol=1e-9)


WRITTEN = {  # header, line, encoding
    "unused columns, empty or text": ("clip,frame,x,y,ep,color", "{0},{1},{2},{3},,{0} red", "utf-8"),
    "unused column of numbers and words": ("id,clip,frame,x,y,q", '{1},{0},{1},{2},{3},"1,5"', "utf-8"),
    "capitals": ("Clip,FRAME,X,Y", "{0},{1},{2},{3}", "utf-8"),
    "spaces": ("clip, frame, x, y", "{0}, {1}, {2}, {3}", "utf-8"),
    "units in the header": ("Track ID,Frame,X (mm),Y [mm]", "{0},{1},{2},{3}", "utf-8"),
    "tabs": ("clip\tframe\tx\ty", "{0}\t{1}\t{2}\t{3}", "utf-8"),
    "semicolons": ("clip;frame;x;y", "{0};{1};{2};{3}", "utf-8"),
    "vertical bars": ("clip|frame|x|y", "{0}|{1}|{2}|{3}", "utf-8"),
    "columns of spaces": ("clip  frame   x    y", "  {0}  {1}   {2}    {3}", "utf-8"),
    "Excel's first line": ("sep=;\nclip;frame;x;y", "{0};{1};{2};{3}", "utf-8"),
    "comments above": ("# a tracker, 2026\n# unit: mm\nclip,frame,x,y", "{0},{1},{2},{3}", "utf-8"),
    "sentences above": ("Tracker 5\nDate: 20 March, 2026\n\nclip,frame,x,y", "{0},{1},{2},{3}", "utf-8"),
    "header in a comment": ("#clip,frame,x,y", "{0},{1},{2},{3}", "utf-8"),
    "row names of R": ("clip,frame,x,y", "row,{0},{1},{2},{3}", "utf-8"),
    "a separator at the end": ("clip,frame,x,y", "{0},{1},{2},{3},", "utf-8"),
    "quotes and lines in a cell": ('"clip","frame","x","y","note"', '"{0}","{1}","{2}","{3}","a\nb, c"', "utf-8"),
    "units below": ("clip,frame,x,y\n,,(mm),(mm)", "{0},{1},{2},{3}", "utf-8"),
    "a mark of bytes": ("clip,frame,x,y", "{0},{1},{2},{3}", "utf-8-sig"),
    "UTF-16": ("clip,frame,x,y", "{0},{1},{2},{3}", "utf-16"),
    "UTF-16 without mark": ("clip,frame,x,y", "{0},{1},{2},{3}", "utf-16-le"),
    "Latin-1": ("clip,frame,x,y,Größe", "{0},{1},{2},{3},groß", "latin-1"),
    "milliseconds of Unix": ("clip,frame,x,y", "{0},176000000000{1},{2},{3}", "utf-8"),
    "nanoseconds of Unix": ("clip,frame,x,y", "{0},176000000000000000{1},{2},{3}", "utf-8"),
    "dates": ("clip,timestamp,x,y", "{0},2026-03-20T10:00:0{1}.040,{2},{3}", "utf-8"),
    "dates with a comma": ("clip,timestamp,x,y", '{0},"2026-03-20 10:00:0{1},040",{2},{3}', "utf-8"),
    "dates beside times": ("clip,date,time,x,y", "{0},2026-03-2{1},10:00:00,{2},{3}", "utf-8"),
    "dates with a zone": ("clip,time,x,y", "{0},2026-03-20 10:00:0{1}Z,{2},{3}", "utf-8"),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_text_of_any_program_gives_the_same_tracks(tmp_path: Path, case: str) -> None:
    header, line, encoding = WRITTEN[case]
    check(
        read(write(tmp_path / "t.csv", header, line, encoding=encoding)), 86400 if case == "dates beside times" else 1
    )


@pytest.mark.parametrize("line", ["{0};{1};%s;%s", '{0},{1},"%s","%s"'])
def test_decimal_commas(tmp_path: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    def with_commas(c: str, f: int, x: float, y: float) -> str:
        return line.format(c, f) % (f"{x}".replace(".", ","), f"{y}".replace(".", ","))

    header = "clip,frame,x,y" if "," in line else "clip;frame;x;y"
    check(read(write(tmp_path / "t.csv", header, with_commas)))
    assert "decimal commas" in capsys.readouterr().out


@pytest.mark.parametrize("frame", ["2026-03-20T10:00:0{1}.040", "00:00:0{1}.5", "00:00:0{1},5"])
def test_a_point_that_is_not_of_a_number_leaves_decimal_commas(tmp_path: Path, frame: str) -> None:
    def line(c: str, f: int, x: float, y: float) -> str:
        return f"{c};{frame.format(c, f)};{x};{y}".replace(f"{x};{y}", f"{x};{y}".replace(".", ","))

    source = write(tmp_path / "t.csv", "clip;time;x;y", line)
    source.write_text(source.read_text() + f"5;{frame.format(5, 9)};.;.\n")  # a blink, as of EyeLink
    check(read(source, skip_bad=True))


def test_a_comma_that_may_separate_thousands_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 1 has x 1,000"):
        read(write(tmp_path / "t.csv", line='{0},{1},"1,{1}00",{3}'))


def test_what_was_detected_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "t.csv", "# by a tracker\nTRACK_ID;t;x;y;Ort", "{0};{1};{2};{3};Köln", encoding="latin-1")
    read(source)
    printed = capsys.readouterr().out
    for words in ("separated by semicolons", "1 line before the table", "Windows-1252", "clip=TRACK_ID, frame=t"):
        assert words in printed


def parquet_table(path: Path, **columns: Any) -> Path:
    points = rows()
    plain = {
        "clip": [row[0] for row in points],
        "frame": [row[1] for row in points],
        "x": [row[2] for row in points],
        "y": [row[3] for row in points],
    }
    parquet.write_table(pa.table(plain | columns), path)
    return path


COUNT = len(rows())
START = datetime.datetime(2026, 1, 1)
STORED: dict[str, dict[str, Any]] = {
    "decimals": {"x": [decimal.Decimal(str(row[2])) for row in rows()]},
    "numbers as text": {"y": [str(row[3]) for row in rows()]},
    "unused, null and nested": {"extra": pa.nulls(COUNT, pa.float64()), "lists": [[1, 2]] * COUNT},
    "ids as floats": {"clip": [float(row[0]) for row in rows()]},
    "ids as categories": {"clip": pa.array([row[0] for row in rows()]).dictionary_encode()},
    "small integers": {"frame": pa.array([row[1] for row in rows()], pa.uint8())},
    "times since the start": {"frame": [datetime.timedelta(seconds=row[1]) for row in rows()]},
    "times of a day": {"frame": [(START + datetime.timedelta(seconds=row[1])).time() for row in rows()]},
    "times": {"frame": [START + datetime.timedelta(seconds=row[1]) for row in rows()]},
}


@pytest.mark.parametrize("case", STORED)
def test_parquet_of_any_type_gives_the_same_tracks(tmp_path: Path, case: str) -> None:
    check(read(parquet_table(tmp_path / "t.parquet", **STORED[case])))


@pytest.mark.parametrize(
    "names",
    [
        ["484e02", "4840e1", "4841e1", "4842e1", "4843e1", "4844e1"],
        ["7", "07", "007", "7.0", "7e0", "0x7"],
        [str(10**19 + k) for k in range(6)],
        ["a", "A", "ä", "a b", "a,b", "#a"],
        ["true", "false", "1", "0", "inf", "2026-03-20"],
    ],
)
def test_ids_are_text(tmp_path: Path, names: list[str]) -> None:
    recording = read(write(tmp_path / "t.csv", line='"{0}",{1},{2},{3}', points=rows(names=names)))
    assert sorted(track.name for track in recording.tracks) == sorted(names)
    assert all(len(track.time) == 8 for track in recording.tracks)


def test_trackmate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = read(trackmate(tmp_path / "spots.csv"))
    check(recording)
    assert recording.y_down
    assert all(track.label is None for track in recording.tracks)
    printed = capsys.readouterr().out
    assert "52 rows found, 48 taken; left out: 3 with names and units, 1 in no track" in printed
    assert "clip=TRACK_ID, frame=FRAME, x=POSITION_X, y=POSITION_Y, z=POSITION_Z" in printed


def test_trackpy(tmp_path: Path) -> None:
    recording = read(trackpy(tmp_path / "t.csv"))
    check(recording)
    assert recording.y_down


def test_deeplabcut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = deeplabcut(tmp_path / "t.csv")
    head, tail = read(source).tracks
    assert head.animal == tail.animal
    assert (head.name, len(head.time), tail.name, len(tail.time)) == ("head", 60, "tail", 30)
    assert "120 points found, 90 taken; left out: 30 with a score below 0.6" in capsys.readouterr().out
    assert [len(track.time) for track in read(source, min_score=0.0).tracks] == [60, 60]


def test_deeplabcut_with_several_animals(tmp_path: Path) -> None:
    lines = ["scorer,n,n,n,n", "individuals,m1,m1,m2,m2", "bodyparts,nose,nose,nose,nose", "coords,x,y,x,y"]
    lines += [f"{f},{f},{2 * f},{3 * f},{4 * f}" for f in range(5)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    tracks = read(tmp_path / "t.csv").tracks
    assert [track.name for track in tracks] == ["m1/nose", "m2/nose"]
    assert tracks[0].animal != tracks[1].animal
    assert tracks[1].position[2].tolist() == [6, 8]


def test_sleap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tracks = read(sleap(tmp_path / "t.csv")).tracks
    assert [track.name for track in tracks] == ["track_0/head", "track_0/tail", "track_1/head"]
    assert tracks[0].animal == tracks[1].animal != tracks[2].animal
    assert "left out: 8 not seen" in capsys.readouterr().out


def test_rows_without_an_animal_are_parts_of_one_or_in_no_clip(tmp_path: Path) -> None:
    source = sleap(tmp_path / "t.csv", 8)
    lines = source.read_text().splitlines()
    source.write_text("\n".join(line.replace("track_0", "") for line in lines[:9]))
    head, tail = read(source).tracks
    assert [head.name, tail.name] == ["head", "tail"]
    assert head.animal == tail.animal is not None
    source.write_text("\n".join(line.replace("track_0", "") for line in lines))
    with pytest.raises(DataError, match="8 rows: row 1 is in no clip"):
        read(source)


LONG = {  # names of three columns, --columns, and the animals that tracks are then parts of
    "film,mouse,bodypart": ({"clip": "film+mouse+bodypart"}, "abc/0 abc/1 abc/2"),
    "track,mouse,keypoint": ({"clip": "keypoint+mouse"}, "0 1 2"),
    "clip,individual,Body Part": ({}, "0 1 2"),
    "clip,mouse,joint": ({"animal": "mouse"}, "0 1 2"),
    "clip,individual,landmark": ({"animal": ""}, ""),
    "clip,mouse,node": ({}, ""),
    "clip,individual,trip": ({}, ""),
}


@pytest.mark.parametrize("names", LONG)
def test_rows_of_body_parts_know_their_animal(tmp_path: Path, names: str) -> None:
    columns, animals = LONG[names]
    film = "abc" if names.startswith("film") else "{0}"
    points = [(f"{animal}{part}", frame, x, y) for (_, frame, x, y) in rows(1) for animal in "012" for part in "pq"]
    source = write(
        tmp_path / "t.csv",
        f"{names},frame,x,y",
        lambda c, f, x, y: f"{film.format(c)},{c[0]},{c[1]},{f},{x},{y}",
        points,
    )
    tracks = read(source, columns=columns).tracks
    assert len(tracks) == 6
    of_animals = [track.animal for track in tracks]
    assert set(of_animals) == (set(animals.split()) if animals else {None})
    if animals:
        assert all(of_animals.count(animal) == 2 for animal in of_animals)


def test_mot_gives_the_centers_of_the_boxes(tmp_path: Path) -> None:
    recording = read(mot(tmp_path / "t.txt"))
    for track in recording.tracks:
        track.position[:] -= [15, 30]
    check(recording)
    assert recording.y_down


def test_mot_truth_has_classes_and_boxes_that_do_not_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = read(mot(tmp_path / "gt.txt", truth=True))
    assert [track.name for track in recording.tracks] == ["1", "3", "4", "5", "6"]
    assert {track.label for track in recording.tracks} == {1}
    assert "left out: 8 marked not to count" in capsys.readouterr().out


def test_mot_detections_are_no_tracks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="link them into tracks"):
        read(write(tmp_path / "det.txt", "", "{1},-1,{2},{3},30,60,0.9,-1,-1,-1"))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["20001", "999001"], [20001, 999001]),
        (["0.0", "1.0"], [0, 1]),
        (["0.5", "1.0"], ["0.5", "1.0"]),
        (["true", "false"], ["true", "false"]),
        (["2026-03-20", "2026-03-21"], ["2026-03-20", "2026-03-21"]),
        (["007", "7"], ["007", "7"]),
        (["-1", "1"], [-1, 1]),
        (["99999999999999999999", "1"], ["99999999999999999999", "1"]),
        (["Möwe", "Krähe"], ["Möwe", "Krähe"]),
        (["", ""], [None, None]),
    ],
)
def test_labels_are_the_words_or_whole_numbers_they_are(
    tmp_path: Path, labels: list[str], expected: list[str | int | None]
) -> None:
    def line(c: str, f: int, x: float, y: float) -> str:
        return f"{c},{f},{x},{y},{labels[int(c) % 2]}"

    tracks = read(write(tmp_path / "t.csv", "clip,frame,x,y,label", line)).tracks
    assert [track.label for track in tracks] == expected * 3


@pytest.mark.parametrize("values", [[True, False], [datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)], [0.0, 1.0]])
def test_labels_of_parquet(tmp_path: Path, values: list[Any]) -> None:
    source = parquet_table(tmp_path / "t.parquet", label=[values[int(row[0]) % 2] for row in rows()])
    labels = [track.label for track in read(source).tracks]
    assert labels[:2] in (["true", "false"], ["2026-01-01", "2026-01-02"], [0, 1])


def test_all_bad_rows_and_tracks_are_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "t.csv")
    bad = ["9,0,lost,1", "9,1,2,", "9,2,NaN,1", ",7,1,1", "9,zz,1,1", "9,3,1e300,1", "9,4,inf,1", "1,2", "8,1,1,1"]
    source.write_text(source.read_text() + "\n".join([*bad, "7,1,1,1", "7,1,2,2"]))
    with pytest.raises(DataError) as error:
        read(source)
    message = str(error.value)
    assert "8 rows: row 49 has x lost, row 50 has an empty y, row 51 has x NaN, row 52 is in no clip" in message
    assert "and 3 more" in message
    assert "2 tracks: clip 7 has frame 1 twice, clip 8 has one point" in message
    assert "--skip-bad" in message
    check(read(source, skip_bad=True))
    printed = capsys.readouterr().out
    assert "59 rows found, 51 taken; left out: 8 that cannot be used" in printed
    assert "2 tracks that cannot be used left out: clip 7 has frame 1 twice, clip 8 has one point" in printed


def test_columns_are_named_on_request(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "film,who,when,long,lat,x", "a,{0},{1},{2},{3},7")
    columns = {"clip": "film+who", "frame": "when", "x": "4", "y": "LAT"}
    recording = read(source, columns=columns)
    check(recording)
    assert recording.tracks[0].name == "a/0"


def test_a_role_may_be_left_without_a_column(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "clip,frame,x,y,label", "{0},{1},{2},{3},state {1}")
    with pytest.raises(DataError, match="several labels: .*--columns label="):
        read(source)
    check(read(source, columns={"label": ""}))


def test_a_table_without_header_takes_numbers_of_columns(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "", "{1},{2},{3},{0}")
    with pytest.raises(DataError, match="no header line; name its 4 columns by their numbers"):
        read(source)
    check(read(source, columns={"clip": "4", "frame": "1", "x": "2", "y": "3"}))


def test_a_table_may_be_one_track(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "t,x,y", "{1},{2},{3}", rows(1))
    with pytest.raises(DataError, match="--columns clip= if all rows are one track"):
        read(source)
    (track,) = read(source, columns={"clip": ""}).tracks
    assert len(track.time) == 8


def test_a_column_with_another_number_for_each_row_is_no_track(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "id,frame,x,y", "{0}{1},{1},{2},{3}")
    with pytest.raises(DataError, match="every clip has one point; .*--columns clip=NAME"):
        read(source)


NAMES = {
    "clp,frame,x,y": r"no column 'clip', but clp, frame, x, y; did you mean --columns clip=clp",
    "individual,frame,x,y": "did you mean --columns clip=individual",
    "event,timestamp,location-long,location-lat": "--columns clip=NAME,x=location-long,y=location-lat",
    "clip,frame,x,y,x": r"several columns 'x', number 3 and 5; .* --columns x=3",
    "a,b,c,d": "no columns 'clip', 'frame', 'x', 'y', but a, b, c, d",
}


@pytest.mark.parametrize("header", NAMES)
def test_names_that_do_not_fit_come_with_a_suggestion(tmp_path: Path, header: str) -> None:
    line = "{0},{1},{2},{3}" + ",0" * (header.count(",") - 3)
    with pytest.raises(DataError, match=NAMES[header]):
        read(write(tmp_path / "t.csv", header, line))


@pytest.mark.parametrize("missing", ["", "NA", "NaN", "none", "-"])
def test_a_missing_label_or_id_is_none(tmp_path: Path, missing: str) -> None:
    quoted = rf" \({missing}\)" if missing else ""

    def line(c: str, f: int, x: float, y: float) -> str:
        return f"{c},{f},{x},{y},{c if c < '3' else missing}"

    labels = write(tmp_path / "t.csv", "clip,frame,x,y,label", line)
    if missing in ("none", "-"):
        assert {track.label for track in read(labels).tracks} == {"0", "1", "2", missing}  # they may well be labels
    else:
        with pytest.raises(DataError, match=f"3 tracks: clip 3 has no label{quoted}, .*--columns label="):
            read(labels)
    ids = write(tmp_path / "t.csv", points=rows(names=["0", "1", "2", "3", "4", missing]))
    with pytest.raises(DataError, match=f"8 rows: row 41 is in no clip{quoted}, "):
        read(ids)
    films = write(tmp_path / "t.csv", "film,id,frame,x,y", "a,{0},{1},{2},{3}", rows(names=["0", "1", missing]))
    with pytest.raises(DataError, match="8 rows: row 17 is in no clip"):
        read(films, columns={"clip": "film+id"})


def test_messages_are_one_line_whatever_is_in_cells_and_names(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv")
    source.write_text(source.read_text() + '6,0,"1\n2",3\n')
    with pytest.raises(DataError, match=r"^.*row 49 has x 1 2; .*$"):
        read(source)
    table = parquet.read_table(parquet_table(tmp_path / "t.parquet")).rename_columns(["a\nb", "frame", "x", "y"])
    parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="^.*no column 'clip', but a b, frame, x, y; name it with [^\n]*$"):
        read(tmp_path / "t.parquet")


def test_rows_in_any_order_give_the_same_tracks(tmp_path: Path) -> None:
    shuffled = [rows()[k] for k in np.random.default_rng(0).permutation(COUNT)]
    check(read(write(tmp_path / "t.csv", points=shuffled)))


def test_a_column_of_lists_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"column 'x' holds list"):
        read(parquet_table(tmp_path / "t.parquet", x=[[1.0]] * COUNT))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"PK\x03\x04...", "Excel file; save it as .csv"),
        ("t.csv.gz", b"...", "not known; unpack it"),
        ("t.xlsx", b"PK\x03\x04...", "save it as .csv"),
        ("t.csv", b"\x1f\x8b...", "compressed"),
        ("t.csv", b"", "it is empty"),
        ("t.csv", b"clip\n1\n2\n", "no columns are separated"),
        ("t.csv", b"a,b\x00c,d\n", "no text"),
        ("t.parquet", b"clip,frame", "not a readable table"),
        ("t.h5", b"clip,frame", "analysis file of SLEAP"),
        ("t.doc", b"clip,frame", "not known"),
    ],
)
def test_other_files_are_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        read(tmp_path / name)


def test_no_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "t.csv", "does not exist")):
        with pytest.raises(DataError, match=words):
            read(path)


@pytest.mark.parametrize(
    "line", ["{0},00:00:0{1},{2},{3}", "{0},0 days 01:59:5{1}.250000,{2},{3}", "{0},1:00:0{1}.5,{2},{3}"]
)
def test_times_as_players_and_pandas_write_them(tmp_path: Path, line: str) -> None:
    check(read(write(tmp_path / "t.csv", "clip,time,x,y", line)))


def test_a_date_and_a_time_may_be_two_columns(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "clip,night,clock,x,y", "{0},2026-03-2{1},1{1}:00:00.5,{2},{3}")
    check(read(source, columns={"frame": "night+clock"}), 90000)


@pytest.mark.parametrize("dates", ["{1}/3/2026,", "2026-03-2{1},2020-01-01"])
def test_times_with_a_doubtful_date_are_refused(tmp_path: Path, dates: str) -> None:
    source = write(tmp_path / "t.csv", "clip,time,x,y,date,born", "{0},10:00:0{1},{2},{3}," + dates)
    with pytest.raises(DataError, match="'time' is a time of day, and 'date' may be its date; .*frame=time"):
        read(source)
    check(read(source, columns={"frame": "time"}))


def test_times_of_another_form_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="date as 2026-03-20T10:00:00.040 .* the first has '20/03/2026 10:00:00'"):
        read(write(tmp_path / "t.csv", "clip,time,x,y", "{0},20/03/2026 10:00:0{1},{2},{3}"))


def test_rows_that_repeat_another_are_left_out_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(read(write(tmp_path / "t.csv", points=[*rows(), *rows()[3:6]])))
    assert "51 rows found, 48 taken; left out: 3 that repeat another" in capsys.readouterr().out
    clip, frame, x, y = rows()[3]
    with pytest.raises(DataError, match="clip 0 has frame 3 twice"):
        read(write(tmp_path / "t.csv", points=[*rows(), (clip, frame, x + 1, y)]))


@pytest.mark.parametrize("names", ["x{0},y{0}", "x_{0},y_{0}", "X{0},Y{0}"])
def test_points_may_be_numbered(tmp_path: Path, names: str) -> None:
    header = "time," + ",".join(names.format(k) for k in range(1, 4))
    cells = [",".join([str(t / 30), *(f"{5 * k + t},{9 - t * k}" for k in range(3))]) for t in range(12)]
    (tmp_path / "t.csv").write_text("\n".join([header, *cells]))
    recording = read(tmp_path / "t.csv")
    assert [track.name for track in recording.tracks] == ["1", "2", "3"]
    assert len({track.animal for track in recording.tracks}) == 3
    assert recording.tracks[2].position[4].tolist() == [14, 1]


@pytest.mark.parametrize(
    "header",
    [
        "frame,tail_z,tail_y,tail_x",
        "frame,a.z,a.y,a.x",
        "time,z1,y1,x1",
        "scorer,n,n,n\nbodyparts,a,a,a\ncoords,z,y,x",
    ],
)
def test_coordinates_of_points_may_come_in_any_order(tmp_path: Path, header: str) -> None:
    (track,) = read(write(tmp_path / "t.csv", header, "{1},7,{3},{2}", rows(1))).tracks
    np.testing.assert_allclose(track.position, [(x, y, 7) for _, _, x, y in rows(1)])


def test_corners_of_boxes_are_no_points(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="columns x1, y1, x2, y2 look like corners of boxes"):
        read(write(tmp_path / "t.csv", "id,frame,x1,y1,x2,y2", lambda c, f, x, y: f"{c},{f},{x},{y},{x + 9},{y + 20}"))


def test_a_column_that_looks_like_labels_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "t.csv", "clip,frame,x,y,Species", "{0},{1},{2},{3},ant")
    read(source)
    assert "no labels; if column Species has them, give --columns label=Species" in capsys.readouterr().out
    read(source, columns={"label": ""})
    assert "Species" not in capsys.readouterr().out


def test_a_coordinate_that_is_too_large_is_named_with_the_limit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 1 has x 9e13, which is beyond 1e\+12"):
        read(write(tmp_path / "t.csv", line="{0},{1},9e13,{3}"))
