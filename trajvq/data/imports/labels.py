"""Labels of imported clips: words, or whole numbers, become class ids."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.imports.plurals import listed
from trajvq.errors import DataError

Label = str | int | None

WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})(\.0*)?")  # a whole number, without leading zeros


def parse_labels(words: Sequence[str]) -> list[Label]:
    """Return labels as whole numbers if all are, also as ``1.0``; else as the words they are, such as ``007``."""
    if all(WHOLE.fullmatch(word) for word in words):
        return [int(word.split(".")[0]) for word in words]
    return list(words)


def check_labels(labels: NDArray[Any], count: int, path: Path) -> list[Label]:
    """Return an array of labels as a list.

    Args:
        labels: ``(N,)`` or ``(N, 1)`` numbers, truth values, dates, strings or bytes. Whole numbers, also as floats,
            stay numbers; everything else becomes words, without spaces around them. NaN and "" are no label.
        count: N, the number of videos.
        path: File of the labels, for messages.

    Raises:
        DataError: If the shape or the type is wrong.
    """
    if labels.shape not in ((count,), (count, 1)):
        hint = "; of one-hot labels, the argmax" if labels.ndim == 2 and len(labels) == count else ""
        raise DataError(f"{path}: labels have shape {labels.shape}, not ({count},): one for every video{hint}")
    labels = labels.reshape(count)
    kind = labels.dtype.kind
    if kind in "iu":
        return list(labels.tolist())
    if kind in "US":
        words = [label if kind == "U" else _decoded(label) for label in labels.tolist()]
        return [word.strip() or None for word in words]
    if kind == "f" and np.isnan(labels).any():
        present = iter(parse_labels([str(label) for label in labels[~np.isnan(labels)].tolist()]))
        return [None if missing else next(present) for missing in np.isnan(labels).tolist()]
    if kind in "fbM":
        return parse_labels([str(label).lower() if kind == "b" else str(label) for label in labels.tolist()])
    raise DataError(f"{path}: labels are {labels.dtype}; give numbers or words")


def _decoded(label: bytes) -> str:
    try:
        return label.decode()
    except UnicodeDecodeError:
        return label.decode("latin-1")  # knows every byte


def class_ids(labels: Sequence[Label], where: str, classes: Sequence[str] = ()) -> tuple[NDArray[np.int64], list[str]]:
    """Convert labels to class ids and class names. A class that no label names does not exist.

    Args:
        labels: N words or whole numbers, or only None.
        where: Source of the labels, for messages.
        classes: Names of the labels in ascending order; numbers from 0 may be without a clip. By default words name
            themselves, and the number 7 is ``class 7``.

    Returns:
        ``(N,)`` class ids, and the class names by id; no names if there are no labels.

    Raises:
        DataError: If only some labels are None, or there are not as many labels as names.
    """
    if all(label is None for label in labels):
        if classes:
            raise DataError(f"{where} has no labels that --classes could name; leave it out")
        return np.zeros(len(labels), np.int64), []
    if any(label is None for label in labels):
        raise DataError(f"{where}: number {labels.index(None)} has no label and others do; label all or none")
    words = any(isinstance(label, str) for label in labels)
    present: list[Any] = sorted({str(label) if words else label for label in labels})
    id_of = {label: number for number, label in enumerate(present)}
    if classes and len(present) != len(classes):
        if len(set(classes)) == len(classes) and not words and 0 <= present[0] <= present[-1] < len(classes):
            id_of = {label: label for label in present}
        else:
            names = listed([str(label) for label in present], 10)
            raise DataError(f"{where} has {len(present)} labels, {names}, but --classes gives {len(classes)} names")
    if len(set(classes)) < len(classes):
        raise DataError(f"--classes {','.join(classes)} names a class twice; give each once")
    ids = np.array([id_of[str(label) if words else label] for label in labels], dtype=np.int64)
    return ids, list(classes) or [label if words else f"class {label}" for label in present]


def match_classes(labels: Sequence[Label], classes: Sequence[str], where: str) -> NDArray[np.int64]:
    """Convert labels to the class ids of a dataset.

    Args:
        labels: N class names or class ids. Where all classes are called after numbers, such as ``class 7``, the labels
            may be these numbers.
        classes: Class names of the dataset by id.
        where: Source of the labels, for messages.

    Returns:
        ``(N,)`` class ids.

    Raises:
        DataError: If a label is missing or unknown, or numbers may be ids as well as names.
    """
    id_of: dict[Label, int] = {name: number for number, name in enumerate(classes)}
    whole = {label for label in labels if isinstance(label, int)}
    by_id: dict[Label, int] = {number: number for number in range(len(classes))}
    by_name: dict[Label, int] = {
        int(name[6:]): k for k, name in enumerate(classes) if re.fullmatch(r"class -?\d+", name)
    }
    if len(by_name) == len(classes) and whole <= by_name.keys():
        if whole <= by_id.keys() and any(by_name[label] != label for label in whole):
            numbers = ", ".join(map(str, sorted(whole)))
            raise DataError(f"{where}: labels {numbers} may be numbers of classes or their names; give names as words")
        by_id = by_name
    id_of |= by_id
    for number, label in enumerate(labels):
        if label is None:
            raise DataError(f"{where}: clip {number} has no label; give every clip its class, as array 'label'")
        if label not in id_of:
            raise DataError(f"{where}: clip {number} has label {label}; known: {', '.join(classes)}, or their numbers")
    return np.array([id_of[label] for label in labels], dtype=np.int64)
