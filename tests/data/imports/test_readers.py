"""All formats give the same clips, videos stay within one split, and hostile files do no harm."""

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.data.imports.sources import LONG, encode, movie
from trajvq.cli import main
from trajvq.data.imports.videos import import_videos
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.errors import DataError


def level(clip: np.ndarray) -> int:
    return round((float(np.median(clip)) - 40) / 8)


def all_clips(folder: Path) -> dict[str, list[np.ndarray]]:
    return {
        split: [item["video"].numpy() for item in (Clips(folder, split)[k] for k in range(len(Clips(folder, split))))]
        for split in read_manifest(folder).splits
    }


def write(path: Path, kind: str, count: int = 10) -> Path:
    videos = np.stack([movie(k) for k in range(count)])
    if kind == "folder":
        for k in range(count):
            target = path / "movies" / ("even" if k % 2 == 0 else "odd") / f"{k}.mp4"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(encode(videos[k]))
        return path / "movies"
    source = path / f"v.{'h5' if kind in ('hdf5', 'phyworld', 'phyworld groups') else 'npy'}"
    if kind == "hdf5":
        with h5py.File(source, "w") as file:
            file["video"], file["label"] = videos.transpose(0, 1, 4, 2, 3), np.arange(count) % 2
    elif kind.startswith("phyworld"):
        with h5py.File(source, "w") as file:
            group = file.create_group("video_streams") if kind.endswith("groups") else file
            bytes_ = h5py.vlen_dtype(np.uint8)
            for start in (0, count // 2) if kind.endswith("groups") else (0,):
                rows = range(start, start + (count // 2 if kind.endswith("groups") else count))
                name = f"{start:05d}" if kind.endswith("groups") else "video_streams"
                streams = group.create_dataset(name, (len(rows), 1), dtype=bytes_)
                for row, k in enumerate(rows):
                    streams[row, 0] = np.frombuffer(encode(videos[k]), np.uint8)
            file["position_streams"], file["init_streams"] = np.zeros((count, LONG, 2)), np.zeros((count, 4))
    elif kind == "moving mnist":
        np.save(source, videos[..., 0].transpose(1, 0, 2, 3)[:, :10])
    else:
        np.save(source, videos.transpose([0, *["_THWC".index(axis) for axis in kind[1:]]]))
    return source


@pytest.mark.parametrize(
    "kind", ["NTCHW", "NCTHW", "NTHWC", "hdf5", "phyworld", "phyworld groups", "folder", "moving mnist"]
)
def test_every_format_gives_the_same_clips(tmp_path: Path, kind: str) -> None:
    source = write(tmp_path, kind)
    extra = ["--axes=TNHW"] if kind == "moving mnist" else []
    arguments = [str(source), "--out", str(tmp_path / "out"), "--frames=8", "--val=2", "--test=2", *extra]
    assert main(["data", "import-videos", *arguments]) == 0
    clips = all_clips(tmp_path / "out")
    assert {split: len(part) for split, part in clips.items()} == {"train": 12, "val": 4, "test": 4}
    levels = {split: {level(clip) for clip in part} for split, part in clips.items()}
    assert sum(len(part) for part in levels.values()) == 10, "a video is in two splits"
    for clip in clips["train"]:
        starts = (movie(level(clip))[k : k + 8].transpose(0, 3, 1, 2) for k in (0, 8))
        assert min(np.abs(clip.astype(int) - start).mean() for start in starts) < 4  # the error of mpeg4
    assert read_manifest(tmp_path / "out").classes == (
        {"folder": ["even", "odd"], "hdf5": ["class 0", "class 1"]}.get(kind, [])
    )


def test_large_videos_are_shrunk(tmp_path: Path) -> None:
    folder = tmp_path / "movies"
    folder.mkdir()
    for k in range(4):
        (folder / f"{k}.mp4").write_bytes(encode(movie(k, 16, 160)))
    assert import_videos(folder, tmp_path / "out", val=1, test=1).height == 64


def test_short_videos_are_left_out_and_the_first_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "movies"
    folder.mkdir()
    for k in range(6):
        (folder / f"{k}.mp4").write_bytes(encode(movie(k, 4 if k == 2 else 16)))
    manifest = import_videos(folder, tmp_path / "out", val=1, test=1)
    assert sum(manifest.clips(split) for split in manifest.splits) == 5
    assert "1 video with fewer than 16 frames left out; the first: " in capsys.readouterr().out
    with pytest.raises(DataError, match="give --frames 16 or fewer"):
        import_videos(folder, tmp_path / "none", val=1, test=1, frames=100)


def hostile(path: Path, rng: np.random.Generator) -> Path:
    """Write one of many broken or malicious files."""
    good = io.BytesIO()
    np.savez(good, videos=rng.random((6, 4, 3, 16, 16)).astype(np.float32), labels=np.arange(6))
    raw = {"npz": good.getvalue(), "mp4": encode(movie(1))}
    plain = io.BytesIO()
    np.save(plain, np.zeros((6, 4, 3, 16, 16), np.uint8))
    raw["npy"] = plain.getvalue()
    kind = int(rng.integers(9))
    if kind == 0:  # cut off
        name = str(rng.choice(["npz", "mp4", "npy"]))
        source = path / f"cut.{name}"
        source.write_bytes(raw[name][: int(rng.integers(len(raw[name]) * 9 // 10))])
    elif kind == 1:  # noise
        source = path / f"noise.{rng.choice(['npz', 'mp4', 'npy', 'h5', 'csv', 'parquet', 'gif', 'avi'])}"
        source.write_bytes(rng.bytes(int(rng.integers(1, 4000))))
    elif kind == 2:  # a pickle that would create a file
        source = path / "pickle.npz"
        np.savez(source, videos=np.array([Bomb(path / "mark")], dtype=object))
    elif kind == 3:  # a header of 10^9 frames without data
        source = path / "huge.npy"
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (10, 1000000000, 64, 64, 3), }"
        source.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    elif kind == 4:  # the same, zipped
        source = path / "huge.npz"
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (10, 1000000000, 64, 64, 3), }"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("videos.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    elif kind == 5:  # absurd shapes and types
        source = path / "shape.npz"
        shapes = [(0,), (3,), (2, 2), (1, 0, 3, 4, 4), (5, 4, 7, 8, 8), (2, 2, 2, 2, 2, 2)]
        np.savez(source, videos=np.zeros(shapes[int(rng.integers(6))], rng.choice(["u1", "f4", "i8", "c16", "S3"])))
    elif kind == 6:  # not numbers
        source = path / "nan.npz"
        videos = rng.random((6, 4, 3, 16, 16)).astype(np.float32)
        videos[int(rng.integers(6)), 1, 1] = rng.choice([np.nan, np.inf])
        np.savez(source, videos=videos)
    elif kind == 7:  # HDF5 with the wrong things in it
        source = path / "odd.h5"
        with h5py.File(source, "w") as file:
            choice = int(rng.integers(4))
            if choice == 0:
                file.create_dataset("video", (10, 10**9, 64, 64, 3), "c16", chunks=(1, 1, 64, 64, 3))
            elif choice == 1:
                file["video"] = [b"a", b"b"]
            elif choice == 2:
                file.create_dataset("video_streams", (6, 1), dtype=h5py.vlen_dtype(np.uint8))
            else:
                file["video"] = h5py.ExternalLink("/etc/passwd", "/x")
    else:  # a table with random bytes
        source = path / "fuzz.csv"
        text = bytearray(
            b"clip,frame,x,y,label\n" + b"".join(b"%d,%d,%d,1,a\n" % (c, f, f) for c in range(9) for f in (0, 1))
        )
        for position in rng.integers(0, 60, 12).tolist():
            text[position] = int(rng.integers(256))
        source.write_bytes(bytes(text))
    return source


class Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("seed", range(100))
def test_hostile_imports_end_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    source = hostile(tmp_path, np.random.default_rng(seed))
    command = "import-tracks" if source.suffix in (".csv", ".parquet") else "import-videos"
    assert main(["data", command, str(source), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("trajvq: ")
    assert printed.count("\n") == 1, printed
    assert "Traceback" not in printed
    assert [p.name for p in tmp_path.iterdir()] == [source.name]
