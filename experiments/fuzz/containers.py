"""Damage arrays, videos and TIFF stacks at random, and import them.

    python experiments/fuzz/containers.py [--count 200] [--seed 0] [--keep DIR]

A file is cut, has bytes flipped, or has a header of absurd numbers. Each must be imported, or be refused in one line:
without a traceback, without running code, without leaving a part of a dataset, in less than 2 GB of memory.
"""

import io
import os
import pickle
from collections.abc import Callable

import av
import h5py
import numpy as np
import trial
from PIL import Image

import trajvq.data.imports.videos  # noqa: F401  # once, instead of in every process

COMMAND = ("data", "import-videos")
VIDEOS = {"mp4": "mpeg4", "mov": "h264", "avi": "mpeg4", "mkv": "h264", "mpg": "mpeg1video", "gif": "gif", "ts": "h264"}


def clips(rng: np.random.Generator, count: int = 3, frames: int = 16, size: int = 32) -> np.ndarray:
    """Return videos of a moving square, uint8 ``(N, T, H, W, 3)``."""
    videos = np.full((count, frames, size, size, 3), rng.integers(0, 90), np.uint8)
    for number in range(count):
        row = int(rng.integers(0, size - 8))
        for t in range(frames):
            videos[number, t, row : row + 6, t : t + 6] = 160 + 30 * number
    return videos


def npz(rng: np.random.Generator) -> bytes:
    """Return an archive of arrays, compressed or not."""
    file = io.BytesIO()
    save = np.savez_compressed if rng.random() < 0.5 else np.savez
    save(file, videos=clips(rng), labels=np.arange(3))
    return file.getvalue()


def npy(rng: np.random.Generator) -> bytes:
    """Return one array."""
    file = io.BytesIO()
    kind = str(rng.choice(["u1", "u2", "f4", "f8"]))
    np.save(file, clips(rng).astype(kind))
    return file.getvalue()


def hdf5(rng: np.random.Generator) -> bytes:
    """Return an HDF5 file of an array, or of the streams of PhyWorld."""
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        if rng.random() < 0.5:
            content.create_dataset("video", data=clips(rng), chunks=(1, 4, 32, 32, 3), compression="gzip")
            content["label"] = np.arange(3)
        else:
            streams = content.create_dataset("video_streams", (3, 1), dtype=h5py.vlen_dtype(np.uint8))
            for row in range(3):
                streams[row, 0] = np.frombuffer(video(rng, "mp4"), np.uint8)
    return file.getvalue()


def video(rng: np.random.Generator, ending: str) -> bytes:
    """Return a video file."""
    file = io.BytesIO()
    containers = {"mkv": "matroska", "ts": "mpegts", "mpg": "mpeg"}
    with av.open(file, "w", format=containers.get(ending, ending)) as container:
        stream = container.add_stream(VIDEOS[ending], rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "rgb8" if ending == "gif" else "yuv420p"
        for picture in clips(rng, 1, 40, 64)[0, :, :32, :32]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def tiff(rng: np.random.Generator) -> bytes:
    """Return a TIFF stack of 8 or 16 bits, compressed or not."""
    file = io.BytesIO()
    kind = np.uint8 if rng.random() < 0.5 else np.uint16
    pages = [Image.fromarray(picture.astype(kind)) for picture in clips(rng, 1)[0, ..., 0]]
    compression = str(rng.choice(["raw", "tiff_lzw", "tiff_deflate"]))
    pages[0].save(file, format="TIFF", save_all=True, append_images=pages[1:], compression=compression)
    return file.getvalue()


def cut(raw: bytes, rng: np.random.Generator) -> bytes:
    """Cut a file somewhere."""
    return raw[: int(rng.integers(len(raw)))]


def flip(raw: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes anywhere, or in the first few hundred."""
    changed = bytearray(raw)
    most = len(raw) if rng.random() < 0.5 else min(len(raw), 400)
    for position in rng.integers(0, most, int(rng.integers(1, 12))).tolist():
        changed[position] = int(rng.integers(256))
    return bytes(changed)


def inflate(raw: bytes, rng: np.random.Generator) -> bytes:
    """Put absurd numbers in the place of some numbers of a header: of 10^12 frames, or of huge sides."""
    changed = bytearray(raw)
    for _ in range(int(rng.integers(1, 4))):
        number = int(rng.choice([2**31 - 1, 2**32 - 1, 2**24, 65535, 10**12]))
        size = 8 if number > 2**32 - 1 else int(rng.choice([2, 4]))
        position = int(rng.integers(0, max(min(len(raw), 600) - 8, 1)))
        order = "big" if rng.random() < 0.5 else "little"
        changed[position : position + size] = (number % 256**size).to_bytes(size, order)  # type: ignore[arg-type]
    return bytes(changed)


def promise(rng: np.random.Generator) -> bytes:
    """Return an array whose header promises 10^12 frames."""
    file = io.BytesIO()
    shape = tuple(int(side) for side in rng.permutation([10**12, 3, 16, 32, 3]))
    np.lib.format.write_array_header_2_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(int(rng.integers(5000)))


class Bomb:
    """Ends the process with exit code 99 when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[int], object], tuple[int]]:
        return os._exit, (99,)


def bomb(_: np.random.Generator) -> bytes:
    """Return an array of an object that runs code when it is unpickled."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    return file.getvalue() + pickle.dumps(np.array([Bomb()], dtype=object))


def damaged(seed: int) -> tuple[str, bytes]:
    """Return the ending and the content of a damaged file."""
    rng = np.random.default_rng(seed)
    kinds: dict[str, Callable[[np.random.Generator], bytes]] = {"npz": npz, "npy": npy, "h5": hdf5, "tif": tiff}
    chosen = int(rng.integers(20))
    if chosen == 0:
        return "npy", bomb(rng)
    if chosen == 1:
        return "npy", promise(rng)
    ending = str(rng.choice([*kinds, *VIDEOS]))
    raw = kinds[ending](rng) if ending in kinds else video(rng, ending)
    change = (cut, flip, flip, inflate)[int(rng.integers(4))]
    return ending, change(raw, rng)


if __name__ == "__main__":
    raise SystemExit(trial.run_script(__doc__, COMMAND, damaged))
