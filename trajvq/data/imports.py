"""Bring one's own clips: ``.npz`` archives become dataset folders."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.generate import SHARD, new_dataset, shard_name
from trajvq.data.render import Bytes
from trajvq.data.store import DataError, Manifest, write_shard

VAL, TEST = 0.1, 0.2  # shares of a class, unless the user says how many


def read_npz(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Read ``videos`` and, if it is there, ``labels`` of an ``.npz``; never runs pickled code.

    Raises:
        DataError: If the file cannot be read or has no ``videos``.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if "videos" not in archive:
                raise DataError(f"{path} has no array 'videos'; it has: {', '.join(archive.files) or 'nothing'}")
            return archive["videos"], archive["labels"] if "labels" in archive else None
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise DataError(f"{path} is not a readable .npz of plain arrays ({error})") from None


def as_clips(videos: NDArray[Any], where: str) -> tuple[Bytes, str]:
    """Turn videos into stored clips and say what was found.

    Args:
        videos: ``(N, T, 3, H, W)`` or ``(N, 3, T, H, W)``, float in [0, 1] or uint8.
        where: Name of the source, for messages.

    Returns:
        uint8 ``(N, T, 3, H, W)`` and a description of type and axis order.

    Raises:
        DataError: If shape, type or range is none of these, or a value is not a number.
    """
    if videos.ndim != 5 or 3 not in videos.shape[1:3] or 0 in videos.shape:
        raise DataError(f"{where}: videos have shape {videos.shape}, not (N, T, 3, H, W) or (N, 3, T, H, W)")
    order = "(N, T, 3, H, W)" if videos.shape[2] == 3 else "(N, 3, T, H, W)"
    if videos.shape[1] == videos.shape[2] == 3:
        order += ", the first of two possible orders"
    if videos.shape[2] != 3:
        videos = videos.transpose(0, 2, 1, 3, 4)
    if videos.dtype == np.uint8:
        return np.ascontiguousarray(videos), f"uint8 in order {order}"
    if videos.dtype.kind != "f":
        raise DataError(f"{where}: videos are {videos.dtype}, neither uint8 nor float in [0, 1]")
    clips = np.empty(videos.shape, dtype=np.uint8)
    for number, clip in enumerate(videos):
        if not np.isfinite(clip).all():
            raise DataError(f"{where}: clip {number} holds NaN or infinity; mend or leave out the clip")
        if clip.min() < 0 or clip.max() > 1:
            found = f"values from {clip.min():g} to {clip.max():g}"
            raise DataError(f"{where}: clip {number} has {found}; scale floats to [0, 1] or give uint8")
        clips[number] = np.rint(clip * 255)
    return clips, f"{videos.dtype} in [0, 1] in order {order}"


def as_labels(labels: NDArray[Any], count: int, where: str) -> tuple[NDArray[np.int64], list[str]]:
    """Turn labels, numbers or words, into class ids and names.

    Raises:
        DataError: If there is not one whole number from 0 or one word for every clip.
    """
    if labels.shape != (count,):
        raise DataError(f"{where}: labels have shape {labels.shape}, not ({count},): one for every clip")
    if labels.dtype.kind in "US":
        names, ids = np.unique(labels.astype(str), return_inverse=True)
        return ids.astype(np.int64), [str(name) for name in names]
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise DataError(
            f"{where}: labels are {labels.dtype}, lowest {labels.min()}; give whole numbers from 0 or words"
        )
    return labels.astype(np.int64), [f"class {number}" for number in range(int(labels.max()) + 1)]


def split_by_class(labels: NDArray[np.int64], sizes: Mapping[str, int], seed: int) -> dict[str, NDArray[np.int64]]:
    """Deal clips to splits so that every class has its share in each; the rest is ``train``.

    Args:
        labels: ``(N,)`` class ids.
        sizes: Clips wanted in each split but ``train``.
        seed: Seed of the deal.

    Returns:
        Clip numbers of each split, in rising order; empty splits are left out.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    rank = np.empty(len(labels))  # place of a clip within its class, as a share of the class
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        rank[members] = (np.arange(len(members)) + rng.random()) / len(members)
    dealt = np.argsort(rank, kind="stable")
    splits, start = {}, 0
    for split, size in sizes.items():
        splits[split] = np.sort(dealt[start : start + size])
        start += size
    splits = {"train": np.sort(dealt[start:]), **splits}
    return {split: rows for split, rows in splits.items() if len(rows)}


def import_videos(path: Path, out: Path, val: int | None = None, test: int | None = None, seed: int = 0) -> Manifest:
    """Import an ``.npz`` with ``videos`` and, if there are any, ``labels``.

    Args:
        path: The archive.
        out: The dataset folder to make.
        val: Clips for validation; a tenth by default.
        test: Clips for the test split; a fifth by default.
        seed: Seed of the deal of clips to splits.

    Returns:
        The manifest written. What was detected is printed.

    Raises:
        DataError: If the source is not as described or ``out`` cannot be written.
    """
    videos, labels = read_npz(path)
    clips, found = as_clips(videos, str(path))
    count, frames, _, height, width = clips.shape
    ids, names = as_labels(labels, count, str(path)) if labels is not None else (np.zeros(count, np.int64), [])
    sizes = {
        "val": round(VAL * count) if val is None else val,
        "test": round(TEST * count) if test is None else test,
    }
    if min(sizes.values()) < 0 or sum(sizes.values()) >= count:
        raise DataError(f"{path} has {count} clips: {sizes['val']} for val and {sizes['test']} for test leave none")
    print(f"{path}: {count} clips of {frames} frames, {width}x{height}, {found}; classes: {len(names) or 'none'}")
    manifest = Manifest(path.name, seed, frames, height, width, classes=names)
    with new_dataset(out) as folder:
        for split, rows in split_by_class(ids, sizes, seed).items():
            for number, start in enumerate(range(0, len(rows), SHARD)):
                part = rows[start : start + SHARD]
                columns = {"video": clips[part]} | ({"label": ids[part]} if names else {})
                entry = write_shard(folder / shard_name(split, number), columns)
                manifest.splits.setdefault(split, []).append(entry)
        manifest.write(folder)
    return manifest
