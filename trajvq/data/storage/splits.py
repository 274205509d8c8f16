"""Create a dataset from imported or sampled clips: choose the splits, and write the folder atomically."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.manifest import MANIFEST, Manifest
from trajvq.data.storage.shards import SHARD, shard_name, write_shard
from trajvq.errors import DataError

VAL, TEST = 0.1, 0.2  # default shares of the sources
SHARD_BYTES = 2**28  # most bytes of pixels in memory during an import


def split_sizes(count: int, val: int | None, test: int | None, source: str) -> dict[str, int]:
    """Return the number of sources in ``val`` and ``test``.

    Args:
        count: Number of sources: videos or tracks.
        val: Requested number for ``val``; a tenth by default, and at least one of three or more.
        test: Requested number for ``test``; a fifth by default, and at least one of three or more.
        source: Name of the imported file, for messages.

    Raises:
        DataError: If none is left for training.
    """
    least = 1 if count >= 3 else 0
    sizes = {
        "val": max(round(VAL * count), least) if val is None else val,
        "test": max(round(TEST * count), least) if test is None else test,
    }
    if min(sizes.values()) < 0 or sum(sizes.values()) >= count:
        raise DataError(
            f"{source}: {sizes['val']} for val and {sizes['test']} for test leave none of {count} to train on"
        )
    return sizes


def split_by_class(
    labels: NDArray[np.int64], sizes: Mapping[str, int], seed: int, fold: int = 0, twins: Sequence[int] = ()
) -> dict[str, NDArray[np.int64]]:
    """Assign sources to splits at random, with every class in proportion. The remaining sources are ``train``.

    Args:
        labels: ``(N,)`` class ids.
        sizes: Number of sources in each split except ``train``.
        seed: Seed of the assignment.
        fold: Number of the fold of a cross-validation, from 0. With the same seed, the ``test`` splits of different
            folds have no source in common.
        twins: For each source the number of the first that is the same. They stay together, and sizes change by their
            number at most; ignored if a split would become empty.

    Returns:
        Indices of the sources of each split, in ascending order, without empty splits.

    Raises:
        DataError: If there are too few sources for the fold.
    """
    folds = len(labels) // sizes["test"] if sizes.get("test") else 1
    if not 0 <= fold < folds:
        raise DataError(f"there is no fold {fold}: {len(labels)} sources make {folds}, counted from 0; lower --test")
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    rank = np.empty(len(labels))  # rank of a source within its class, divided by the size of the class
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        rank[members] = (np.arange(len(members)) + rng.random()) / len(members)
    group = np.arange(len(labels))
    shift = -fold * sizes.get("test", 0)
    plain = _cut(np.roll(np.argsort(rank, kind="stable"), shift), sizes, group)
    if len(set(twins)) == len(twins):
        return plain
    group = np.asarray(twins)
    together = _cut(np.roll(np.argsort(rank[group], kind="stable"), shift), sizes, group)
    return together if together.keys() == plain.keys() else plain


def _cut(order: NDArray[np.int64], sizes: Mapping[str, int], group: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Cut sources in order into splits, where no group is cut; return those that are not empty."""
    for _ in range(len(order)):
        if group[order[0]] != group[order[-1]]:
            break
        order = np.roll(order, 1)
    splits, start = {}, 0
    for split, size in sizes.items():
        stop = min(start + size, len(order))
        while size and start < stop < len(order) and group[order[stop]] == group[order[stop - 1]]:
            stop += 1
        splits[split] = np.sort(order[start:stop])
        start = stop
    splits = {"train": np.sort(order[start:]), **splits}
    return {split: rows for split, rows in splits.items() if len(rows)}


@contextmanager
def new_dataset(out: Path) -> Iterator[Path]:
    """Yield a hidden folder to write a dataset to, and rename it to ``out`` at the end.

    Raises:
        DataError: If ``out`` already has content, or cannot be written.
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
    """Write the shards of one split, and add them to the manifest.

    Args:
        folder: The dataset folder.
        manifest: The manifest of the dataset, with the size of its clips.
        split: Name of the split.
        clips: One dictionary per clip, with columns as in `trajvq.data.storage.shards.SCHEMA`; consumed one shard at
            a time.
    """
    size = 3 * manifest.frames * manifest.height * manifest.width
    rows = iter(clips)
    shard_clips = max(min(SHARD, SHARD_BYTES // size), 1)
    for number in range(1_000_000):
        part = list(islice(rows, shard_clips))
        if not part:
            return
        columns = {name: np.stack([row[name] for row in part]) for name in part[0]}
        manifest.splits.setdefault(split, []).append(write_shard(folder / shard_name(split, number), columns))
