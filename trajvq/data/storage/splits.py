"""What all imports share: deal clips to splits, and write a new dataset whole or not at all."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.shards import MANIFEST, SHARD, DataError, Manifest, shard_name, write_shard

VAL, TEST = 0.1, 0.2  # shares of a class, unless the user says how many
SHARD_BYTES = 2**28  # of pixels that an import holds at once


def sizes_of(count: int, val: int | None, test: int | None, what: str) -> dict[str, int]:
    """Return how many of `count` sources go to ``val`` and ``test``.

    Raises:
        DataError: If none is left for training.
    """
    sizes = {
        "val": round(VAL * count) if val is None else val,
        "test": round(TEST * count) if test is None else test,
    }
    if min(sizes.values()) < 0 or sum(sizes.values()) >= count:
        raise DataError(
            f"{what}: {sizes['val']} for val and {sizes['test']} for test leave none of {count} to train on"
        )
    return sizes


def split_by_class(
    labels: NDArray[np.int64], sizes: Mapping[str, int], seed: int, fold: int = 0
) -> dict[str, NDArray[np.int64]]:
    """Deal sources to splits so that every class has its share in each; the rest is ``train``.

    Args:
        labels: ``(N,)`` class ids.
        sizes: Sources wanted in each split but ``train``.
        seed: Seed of the deal.
        fold: Number of the deal in a cross-validation: with one seed, ``test`` shares no source with that of
            another fold.

    Returns:
        Numbers of the sources of each split, in rising order; empty splits are left out.

    Raises:
        DataError: If the sources are too few for so many folds.
    """
    folds = len(labels) // sizes["test"] if sizes.get("test") else 1
    if not 0 <= fold < folds:
        raise DataError(f"there is no fold {fold}: {len(labels)} sources make {folds}, counted from 0; lower --test")
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    rank = np.empty(len(labels))  # place of a source within its class, as a share of the class
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        rank[members] = (np.arange(len(members)) + rng.random()) / len(members)
    dealt = np.roll(np.argsort(rank, kind="stable"), -fold * sizes.get("test", 0))
    splits, start = {}, 0
    for split, size in sizes.items():
        splits[split] = np.sort(dealt[start : start + size])
        start += size
    splits = {"train": np.sort(dealt[start:]), **splits}
    return {split: rows for split, rows in splits.items() if len(rows)}


def class_ids(labels: Sequence[str | int | None], where: str) -> tuple[NDArray[np.int64], list[str]]:
    """Turn labels, words or whole numbers from 0, into class ids and names; no names where there is no label.

    Raises:
        DataError: If some have a label and some have none, or a number is below 0 or above a million.
    """
    if all(label is None for label in labels):
        return np.zeros(len(labels), np.int64), []
    if any(label is None for label in labels):
        raise DataError(f"{where}: number {labels.index(None)} has no label and others do; label all or none")
    if any(isinstance(label, str) for label in labels):
        names, ids = np.unique([str(label) for label in labels], return_inverse=True)
        return ids.astype(np.int64), [str(name) for name in names]
    numbers = np.array(labels)
    if numbers.dtype.kind not in "iu":
        raise DataError(f"{where}: labels are {numbers.dtype}; give whole numbers from 0, or words")
    if numbers.min() < 0 or numbers.max() > 1_000_000:
        raise DataError(
            f"{where}: labels go from {numbers.min()} to {numbers.max()}; give whole numbers from 0, or words"
        )
    return numbers.astype(np.int64), [f"class {number}" for number in range(int(numbers.max()) + 1)]


@contextmanager
def new_dataset(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside a dataset's place, and move it there when it is whole.

    Raises:
        DataError: If there is something already, or it cannot be written.
    """
    partial = out.with_name(f".{out.name}.partial")
    if (out / MANIFEST).exists():
        raise DataError(f"{out} already holds a dataset; remove it or choose another --out")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} already exists and is not empty; choose another --out")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except OSError as error:
        raise DataError(
            f"cannot write a dataset to {out}: {error.strerror or error}; make room or choose another --out"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_split(folder: Path, manifest: Manifest, split: str, clips: Iterable[Mapping[str, Any]]) -> None:
    """Write the clips of one split in shards and enter them in the manifest.

    Args:
        folder: Where the shards go.
        manifest: Of the dataset; knows the size of a clip.
        split: Name of the split.
        clips: Rows of columns as in `trajvq.data.storage.shards.SCHEMA`, one clip each; read as they are written.
    """
    size = 3 * manifest.frames * manifest.height * manifest.width
    rows = iter(clips)
    shard = max(min(SHARD, SHARD_BYTES // size), 1)
    for number in range(1_000_000):
        part = list(islice(rows, shard))
        if not part:
            return
        columns = {name: np.stack([row[name] for row in part]) for name in part[0]}
        manifest.splits.setdefault(split, []).append(write_shard(folder / shard_name(split, number), columns))
