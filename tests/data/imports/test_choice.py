"""The array of videos is found by its name or its shape, or asked for."""

from pathlib import Path

import pytest

from trajvq.data.imports.choice import choose_array, label_name, unused_note
from trajvq.errors import DataError

HERE = Path("file.npz")
VIDEOS, TABLE, LABELS = (20, 16, 32, 32), (20, 16, 3), (20,)


@pytest.mark.parametrize(
    ("shapes", "name"),
    [
        ({"video": VIDEOS, "labels": LABELS}, "video"),
        ({"clips": (2, 20, 2), "video": VIDEOS}, "video"),
        ({"frames": VIDEOS, "other": VIDEOS}, "frames"),
    ],
)
def test_usual_names_are_taken_without_a_word(shapes: dict[str, tuple[int, ...]], name: str) -> None:
    assert choose_array(shapes, HERE) == (name, ())


@pytest.mark.parametrize("others", [{}, {"traj": TABLE, "labels": LABELS}, {"clips": (2, 20, 2), "dims": (1, 3)}])
def test_the_only_array_like_videos_is_taken_and_that_is_said(others: dict[str, tuple[int, ...]]) -> None:
    name, notes = choose_array({"arr_0": VIDEOS, **others}, HERE)
    assert name == "arr_0"
    assert notes == ("array 'arr_0' taken, the only one that looks like videos",)


@pytest.mark.parametrize("shapes", [{}, {"x_train": VIDEOS, "x_test": VIDEOS}, {"features": (20, 5)}])
def test_several_or_no_candidates_are_asked_about(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(DataError, match="call the right one 'videos', or name it with --array"):
        choose_array(shapes, HERE)


def test_the_user_may_name_an_array() -> None:
    shapes = {"x_train": VIDEOS, "x_test": VIDEOS}
    assert choose_array(shapes, HERE, "x_test") == ("x_test", ())
    with pytest.raises(DataError, match="has no array 'y'; it has: x_train "):
        choose_array(shapes, HERE, "y")


def test_labels_are_looked_for_beside_the_videos() -> None:
    shapes = {"data/videos": VIDEOS, "data/labels": LABELS, "labels": LABELS}
    assert label_name(shapes, "data/videos") == "data/labels"
    assert label_name(shapes, "videos") == "labels"
    assert label_name({"data/labels": LABELS}, "videos") is None


def test_arrays_that_are_not_used_are_named() -> None:
    assert unused_note({"y": LABELS}) == "arrays not used: y (20,); labels are called labels or label"
    assert unused_note({}) == ""
    assert "(100 in all)" in unused_note({str(k): VIDEOS for k in range(100)})
