"""Choose the array of videos among those of a file."""

from collections.abc import Mapping
from pathlib import Path

from trajvq.data.imports.axes import SMALLEST
from trajvq.errors import DataError

NAMES = ("videos", "video", "clips", "frames")
LABELS = ("labels", "label")
LISTED = 12  # most arrays that a line names
Shape = tuple[int, ...]


def choose_array(shapes: Mapping[str, Shape], path: Path, name: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Return the name of the array of videos, and what was assumed.

    It is the one named by the user, the first of `NAMES`, or the only one that looks like videos.

    Args:
        shapes: Shapes of the arrays by name.
        path: Their file, for messages.
        name: The name that the user gave, or None.

    Raises:
        DataError: If there is no such array, or several.
    """
    arrays = _listed(shapes) or "nothing"
    if name is not None:
        if name not in shapes:
            raise DataError(f"{path} has no array {name!r}; it has: {arrays}")
        return name, ()
    for common in NAMES:
        if common in shapes and (common == NAMES[0] or like_videos(shapes[common])):
            return common, ()
    candidates = [key for key, shape in shapes.items() if 3 <= len(shape) <= 5 and like_videos(shape)]
    candidates = [key for key in candidates if len(shapes[key]) > 3] or candidates
    if len(candidates) == 1:
        return candidates[0], (f"array {candidates[0]!r} taken, the only one that looks like videos",)
    raise DataError(
        f"{path} has no array 'videos' or 'video'; it has: {arrays}; "
        "call the right one 'videos', or name it with --array"
    )


def label_name(shapes: Mapping[str, object], videos: str) -> str | None:
    """Return the name of the array of labels, or None.

    Args:
        shapes: Shapes of the arrays by name.
        videos: Name of the array of videos, in whose group the labels are looked for first.
    """
    group = videos.rpartition("/")[0]
    names = [f"{group}/{name}" for name in LABELS] if group else []
    return next((name for name in (*names, *LABELS) if name in shapes), None)


def unused_note(unused: Mapping[str, Shape]) -> str:
    """Return a line that names the arrays of a file that are not used; empty if there are none.

    Args:
        unused: Their shapes by name.
    """
    return f"arrays not used: {_listed(unused)}; labels are called {' or '.join(LABELS)}" if unused else ""


def _listed(shapes: Mapping[str, Shape]) -> str:
    more = f", ... ({len(shapes)} in all)" if len(shapes) > LISTED else ""
    return ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:LISTED]) + more


def like_videos(shape: Shape) -> bool:
    """Return whether a shape has two sides long enough for frames. A table or a number is not judged by that."""
    return len(shape) < 3 or sum(side >= SMALLEST for side in shape) >= 2
