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
        twins: For each source the number of the first of its group, such as what several cameras recorded; every
            source on its own by default. No group is cut: sizes change by the size of a group at most, or the smallest
            groups go to ``val`` and ``test`` where little would be left for a split.

    Returns:
        Indices of the sources of each split, in ascending order, without empty splits. Where there are fewer groups
        than splits, ``train`` gets the first and the last of ``sizes`` the next.

    Raises:
        DataError: If there are too few sources for the fold, or the groups are too large for folds.
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
    group = np.asarray(twins) if len(twins) else np.arange(len(labels))
    order = np.lexsort((group, rank[group]))
    chosen = {number: _cut(order, number * sizes.get("test", 0), sizes, group) for number in {0, fold}}
    if all(_is_complete(splits, sizes) for splits in chosen.values()):
        return chosen[fold]
    if fold:
        raise DataError(f"there is no fold {fold}: too many sources belong together; leave out --fold")
    return _smallest_first(order, sizes, group)


def _cut(
    order: NDArray[np.int64], shift: int, sizes: Mapping[str, int], group: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """Cut sources in order, from ``shift`` on, into splits; a group goes where its first source is."""
    first = np.full(len(order), len(order))
    np.minimum.at(first, group[order], np.arange(len(order)))
    number = np.searchsorted(np.cumsum(list(sizes.values())), (first[group] - shift) % len(order), side="right")
    splits = {split: np.flatnonzero(number == k) for k, split in enumerate([*sizes, "train"])}
    return {split: splits[split] for split in ("train", *sizes) if len(splits[split])}


def _is_complete(splits: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> bool:
    """Return whether every split has a source, and ``train`` at least half of its number."""
    train = sum(map(len, splits.values())) - sum(sizes.values())
    return all(split in splits for split, size in sizes.items() if size) and 2 * len(splits.get("train", ())) >= train


def _smallest_first(
    order: NDArray[np.int64], sizes: Mapping[str, int], group: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """Give the smallest groups to the splits, and leave one for each split that is still to come."""
    members: dict[int, list[int]] = {}
    for source in order.tolist():
        members.setdefault(int(group[source]), []).append(source)
    groups = sorted(members.values(), key=len)
    splits: dict[str, list[int]] = {"train": []}
    later = 1 + sum(size > 0 for size in sizes.values())
    for split, size in sizes.items():
        later -= size > 0
        splits[split] = []
        while len(splits[split]) < size and len(groups) > later:
            splits[split] += groups.pop(0)
    splits["train"] = [source for sources in groups for source in sources]
    return {split: np.sort(np.array(sources)) for split, sources in splits.items() if sources}


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
