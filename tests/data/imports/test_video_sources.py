"""The commands of docs/video_sources.md import small files of the layouts that the page shows."""

import shlex
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from tests.data.imports.sources import encode, movie, write_movie
from trajvq.cli import main
from trajvq.data.storage.manifest import read_manifest

PAGE = Path(__file__).parents[3] / "docs" / "video_sources.md"


def moving_mnist(name: str) -> None:
    np.save(name, np.stack([movie(k, 20) for k in range(9)], axis=1)[..., 0])


def moving_mnist_archive(name: str) -> None:
    starts = np.arange(9) * 20
    index = np.stack([np.stack([starts + first, np.full(9, 10)], axis=1) for first in (0, 10)])
    frames = np.concatenate([movie(k, 20) for k in range(9)])[:, None, :, :, 0] / np.float32(255)
    np.savez(name, clips=index, dims=np.array([[1, 32, 32]]), input_raw_data=frames)


def phone(name: str) -> None:
    for number, (label, ending) in enumerate([("throw", "MOV"), ("throw", "mp4"), ("roll", "MOV")] * 3):
        path = Path(name) / label / f"IMG_{number}.{ending}"
        write_movie(path, movie(number, 60), rate=30, times=[k + k // 7 for k in range(60)])
        (path.parent / f"._IMG_{number}.{ending}").write_bytes(b"\0\5\26\7")


def numbered_pictures(name: str) -> None:
    for number in range(6):
        folder = Path(name) / ("walk", "run")[number % 2] / f"take{number}"
        folder.mkdir(parents=True)
        for frame, picture in enumerate(movie(number, 20), 1):
            Image.fromarray(picture).save(folder / f"{frame:06d}.jpg")


def lerobot(name: str) -> None:
    for episode in range(5):
        for camera in ("top", "wrist"):
            path = f"videos/chunk-000/observation.images.{camera}/episode_{episode:06d}.mp4"
            write_movie(Path(name) / path, movie(episode, 20))
    (Path(name) / "meta").mkdir()
    (Path(name) / "meta" / "info.json").write_text("{}")


def phyworld(name: str) -> None:
    with h5py.File(name, "w") as file:
        streams = file.create_dataset("video_streams", (6, 1), dtype=h5py.vlen_dtype(np.uint8))
        for row in range(6):
            streams[row, 0] = np.frombuffer(encode(movie(row)), np.uint8)
        file["position_streams"], file["init_streams"] = np.zeros((6, 20, 2)), np.zeros((6, 4))


SOURCES: dict[str, tuple[Callable[[str], None], int, list[str]]] = {
    "mnist_test_seq.npy": (moving_mnist, 9, []),
    "moving-mnist-train.npz": (moving_mnist_archive, 9, []),
    "phone": (phone, 9, ["roll", "throw"]),
    "frames": (numbered_pictures, 6, ["run", "walk"]),
    "pusht": (lerobot, 10, []),
    "uniform_motion.hdf5": (phyworld, 6, []),
}


def commands() -> dict[str, list[str]]:
    """The arguments of the page's commands by the source that they import."""
    lines = [shlex.split(line)[1:] for line in PAGE.read_text().splitlines() if line.startswith("trajvq ")]
    return {line[2]: line for line in lines}


def test_every_source_of_the_page_is_tried() -> None:
    assert set(commands()) == set(SOURCES)


@pytest.mark.parametrize("source", SOURCES)
def test_the_commands_of_the_page_import_its_layouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    write, videos, classes = SOURCES[source]
    monkeypatch.chdir(tmp_path)
    write(source)
    arguments = commands()[source]
    assert main(arguments) == 0
    manifest = read_manifest(Path(arguments[arguments.index("--out") + 1]))
    assert manifest.classes == classes
    assert manifest.ledger["counts"]["videos"]["taken"] == videos
    assert sum(manifest.clips(split) for split in manifest.splits) == videos
    assert set(manifest.splits) == {"train", "val", "test"}
