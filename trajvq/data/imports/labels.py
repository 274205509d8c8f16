"""Labels of imported clips: words or whole numbers become class ids."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.errors import DataError

Label = str | int | None

MAX_CLASS = 1_000_000


def check_labels(labels: NDArray[Any], count: int, path: Path) -> list[Label]:
    """Return an array of labels as a list.

    Args:
        labels: ``(N,)`` whole numbers, strings or UTF-8 bytes.
        count: N, the number of videos.
        path: File of the labels, for messages.

    Raises:
        DataError: If the shape or the type is wrong.
    """
    if labels.shape != (count,):
        raise DataError(f"{path}: labels have shape {labels.shape}, not ({count},): one for every video")
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind not in "iuU":
        raise DataError(f"{path}: labels are {labels.dtype}; give whole numbers from 0 or words")
    return list(labels.tolist())


def class_ids(labels: Sequence[Label], where: str, classes: Sequence[str] = ()) -> tuple[NDArray[np.int64], list[str]]:
    """Convert labels to class ids and class names.

    Args:
        labels: N words or whole numbers from 0, or only None.
        where: Source of the labels, for messages.
        classes: Names of the labels in ascending order. By default words name themselves, and numbers are ``class 0``
            and so on.

    Returns:
        ``(N,)`` class ids, and the class names by id; no names if there are no labels.

    Raises:
        DataError: If only some labels are None, a number is negative or above `MAX_CLASS`, or there are not as many
            labels as names.
    """
    if classes:
        return _named(labels, where, classes)
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
    if numbers.min() < 0 or numbers.max() > MAX_CLASS:
        raise DataError(
            f"{where}: labels go from {numbers.min()} to {numbers.max()}; give whole numbers from 0, or words"
        )
    return numbers.astype(np.int64), [f"class {number}" for number in range(int(numbers.max()) + 1)]


def _named(labels: Sequence[Label], where: str, classes: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    ids, names = class_ids(labels, where)
    if not names:
        raise DataError(f"{where} has no labels that --classes could name; leave it out")
    present = np.unique(ids)
    if len(set(classes)) < len(classes):
        raise DataError(f"--classes {','.join(classes)} names a class twice; give each once")
    if len(present) == len(classes):
        ids = np.searchsorted(present, ids).astype(np.int64)
    elif isinstance(labels[0], str) or present.max() >= len(classes):
        listed = ", ".join(names[k] if isinstance(labels[0], str) else str(k) for k in present[:10].tolist())
        more = ", ..." if len(present) > 10 else ""
        raise DataError(f"{where} has {len(present)} labels, {listed}{more}, but --classes gives {len(classes)} names")
    return ids, list(classes)


def match_classes(labels: Sequence[Label], classes: Sequence[str], where: str) -> NDArray[np.int64]:
    """Convert labels to the class ids of a dataset.

    Args:
        labels: N class names or class ids.
        classes: Class names of the dataset by id.
        where: Source of the labels, for messages.

    Returns:
        ``(N,)`` class ids.

    Raises:
        DataError: If a label is missing or unknown.
    """
    ids = []
    for number, label in enumerate(labels):
        if isinstance(label, str) and label in classes:
            ids.append(classes.index(label))
        elif isinstance(label, int) and 0 <= label < len(classes):
            ids.append(label)
        else:
            raise DataError(f"{where}: clip {number} has label {label}; known: {', '.join(classes)}, or their numbers")
    return np.array(ids, dtype=np.int64)
