"""Labels become class ids, under names of the user's own where they are given."""

import pytest

from trajvq.data.imports.labels import class_ids
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
