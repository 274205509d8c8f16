"""Import videos: cut them into clips, resize them, and assign whole videos to splits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trajvq.data.imports.collection import Video
from trajvq.data.imports.labels import class_ids
from trajvq.data.imports.readers import cut_clips, read_collection
from trajvq.data.storage.manifest import Manifest
from trajvq.data.storage.splits import new_dataset, split_by_class, split_sizes, write_split
from trajvq.errors import DataError
from trajvq.io.arrays import Bytes
from trajvq.io.progress import progress

FRAMES, SIZE = 16, 64  # of a clip, if the videos are longer than `MAX_FRAMES` or larger than `MAX_SIZE`
MAX_FRAMES, MAX_SIZE = 32, 128


def fit_inside(frames: Bytes, height: int, width: int) -> Bytes:
    """Resize uint8 ``(T, H, W, 3)`` without distortion. Margins repeat the pixels of the border."""
    _, rows, columns, _ = frames.shape
    if (rows, columns) == (height, width):
        return frames
    scale = min(height / rows, width / columns)
    inner = (max(round(columns * scale), 1), max(round(rows * scale), 1))
    small = np.stack([np.asarray(Image.fromarray(f).resize(inner, Image.Resampling.BOX)) for f in frames])
    down, across = height - inner[1], width - inner[0]
    around = ((0, 0), (down // 2, down - down // 2), (across // 2, across - across // 2), (0, 0))
    return np.pad(small, around, mode="edge")


def import_videos(
    path: Path,
    out: Path,
    val: int | None = None,
    test: int | None = None,
    seed: int = 0,
    frames: int | None = None,
    size: int | None = None,
    axes: str | None = None,
    fold: int = 0,
) -> Manifest:
    """Import videos as a dataset. All clips of a video go to the same split, and what was detected is printed.

    Args:
        path: A file or folder of one of the `trajvq.data.imports.readers.FORMATS`.
        out: The dataset folder to create.
        val: Number of videos for validation; a tenth by default.
        test: Number of videos for the test split; a fifth by default.
        seed: Seed of the assignment of videos to splits.
        frames: Frames per clip; by default the videos' own number up to `MAX_FRAMES`, else `FRAMES`.
        size: Height and width in pixels; by default the videos' own size up to `MAX_SIZE`, else `SIZE`.
        axes: Order of the axes of an array; detected by default.
        fold: Fold of a cross-validation, see `trajvq.data.storage.splits.split_by_class`.

    Returns:
        The manifest of the dataset.

    Raises:
        DataError: If the videos cannot be read or do not fit, or ``out`` cannot be written.
    """
    if min(frames or 2, 2) < 2 or min(size or 16, 16) < 8:
        raise DataError(f"clips of {frames} frames and {size} pixels are too small: at least 2 and 8")
    source = read_collection(path, axes)
    videos = source.videos
    first = videos[0].read()
    length = frames or (source.frames if source.frames and source.frames <= MAX_FRAMES else FRAMES)
    height, width = (size, size) if size else first.shape[1:3] if max(first.shape[1:3]) <= MAX_SIZE else (SIZE, SIZE)
    ids, names = class_ids([video.label for video in videos], str(path))
    sizes = split_sizes(len(videos), val, test, str(path))
    print(
        f"{path}: {len(videos)} videos, {first.shape[2]}x{first.shape[1]}, {source.description}; "
        f"classes: {len(names) or 'none'}; clips of {length} frames, {width}x{height}"
    )
    manifest = Manifest(path.name, seed, length, height, width, classes=names)
    short: list[str] = []

    def clips(rows: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
        for row in rows:
            done(1)
            for clip in _cut(videos[row], length, short):
                video = np.ascontiguousarray(fit_inside(clip, height, width).transpose(0, 3, 1, 2))
                yield {"video": video} | ({"label": ids[row]} if names else {})

    with new_dataset(out) as folder, progress("videos", len(videos)) as done:
        for split, rows in split_by_class(ids, sizes, seed, fold).items():
            write_split(folder, manifest, split, clips(rows))
        if "train" not in manifest.splits:
            raise DataError(f"{path}: no video for training has {length} frames; give fewer --frames")
        manifest.write(folder)
    if short:
        print(f"{path}: {len(short)} videos with fewer than {length} frames are left out, the first of them {short[0]}")
    return manifest


def _cut(video: Video, frames: int, short: list[str]) -> Iterator[Bytes]:
    content = video.read()
    if len(content) < frames:
        short.append(video.name)
    yield from cut_clips(content, frames)
