"""Labels become class ids, under names of the user's own where they are given."""

from pathlib import Path

import numpy as np
import pytest

from trajvq.data.imports.labels import check_labels, class_ids, match_classes
from trajvq.errors import DataError


@pytest.mark.parametrize("labels", [[0, 1, 2, 1], [3, 7, 9, 7], ["a", "b", "c", "b"]])
def test_names_are_given_in_ascending_order(labels: list[int | str]) -> None:
    ids, names = class_ids(labels, "v", ("linear", "circular", "helical"))
    assert ids.tolist() == [0, 1, 2, 1]
    assert names == ["linear", "circular", "helical"]


def test_a_class_may_have_no_clip_if_labels_are_numbers_from_0() -> None:
    ids, names = class_ids([0, 3, 3], "v", ("a", "b", "c", "d"))
    assert ids.tolist() == [0, 3, 3]
    assert names == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        ([0, 1, 2], ("a", "b"), "3 labels, 0, 1, 2, but --classes gives 2 names"),
        ([5, 6, 9], ("a", "b"), "3 labels, 5, 6, 9"),
        (["x", "y"], ("a", "b", "c"), "2 labels, x, y"),
        ([None, None], ("a", "b"), "no labels"),
        ([0, 1], ("a", "a"), "twice"),
    ],
)
def test_names_that_do_not_fit_are_an_error(labels: list[int | str | None], names: tuple[str, ...], words: str) -> None:
    with pytest.raises(DataError, match=words):
        class_ids(labels, "v", names)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (list(range(1, 11)), [f"class {k}" for k in range(1, 11)]),
        ([999001, 20001], ["class 20001", "class 999001"]),
        ([-1, 10, 9], ["class -1", "class 9", "class 10"]),
        (["10", "9"], ["10", "9"]),
    ],
)
def test_there_are_no_classes_but_those_of_the_labels(labels: list[int | str], names: list[str]) -> None:
    ids, classes = class_ids(labels, "v")
    assert classes == names
    assert [classes[k].removeprefix("class ") for k in ids] == [str(label) for label in labels]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([True, False]), ["true", "false"]),
        (np.array([0.0, 2.0]), [0, 2]),
        (np.array([0.5, 2.0]), ["0.5", "2.0"]),
        (np.array(["2026-03-20", "2026-03-21"], "datetime64[D]"), ["2026-03-20", "2026-03-21"]),
        (np.array(["Möwe".encode(), "Möwe".encode("latin-1")]), ["Möwe", "Möwe"]),
        (np.array([3, 4], np.uint8), [3, 4]),
        (np.array(["walk ", " walk"]), ["walk", "walk"]),
        (np.array([b"walk", b" "]), ["walk", None]),
    ],
)
def test_labels_of_arrays_may_have_any_type(labels: np.ndarray, expected: list[int | str]) -> None:
    assert check_labels(labels, 2, Path("v.npz")) == expected


def test_labels_that_are_neither_numbers_nor_words_are_an_error() -> None:
    with pytest.raises(DataError, match="labels are object"):
        check_labels(np.array([{}, {}], dtype=object), 2, Path("v.npz"))


def test_a_column_of_labels_is_one_label_a_video() -> None:
    assert check_labels(np.array([[3], [4]]), 2, Path("v.npz")) == [3, 4]
    with pytest.raises(DataError, match="the argmax"):
        check_labels(np.eye(2), 2, Path("v.npz"))


def test_nan_is_no_label() -> None:
    labels = check_labels(np.array([0.0, np.nan, 1.0]), 3, Path("v.npz"))
    assert labels == [0, None, 1]
    with pytest.raises(DataError, match="number 1 has no label and others do"):
        class_ids(labels, "v")


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        (["b", "a", 1], ["a", "b"], [1, 0, 1]),
        ([1, 2, 2], ["class 1", "class 2"], [0, 1, 1]),
        ([0, 1, 1], ["class 1", "class 2"], [0, 1, 1]),
        ([20001, "class 999001"], ["class 20001", "class 999001"], [0, 1]),
        ([0, 2], ["class 0", "class 1", "class 2"], [0, 2]),
    ],
)
def test_numbers_are_those_in_the_names_of_classes_or_their_ids(
    labels: list[int | str], classes: list[str], expected: list[int]
) -> None:
    assert match_classes(labels, classes, "v").tolist() == expected


def test_numbers_that_may_be_ids_or_names_are_refused() -> None:
    with pytest.raises(DataError, match="labels 1, 2 may be"):
        match_classes([1, 2], ["class 1", "class 2", "class 3"], "v")
    with pytest.raises(DataError, match="clip 1 has no label; give every clip its class, as array 'label'"):
        match_classes(["class 1", None], ["class 1", "class 2"], "v")
    with pytest.raises(DataError, match="clip 1 has label 7; known: class 1, class 2"):
        match_classes([1, 7], ["class 1", "class 2"], "v")
