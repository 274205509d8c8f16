"""Which column of a table is what: by its name, as the user says, or a suggestion."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from trajvq.data.imports.plurals import listed
from trajvq.data.imports.tables import Table
from trajvq.errors import DataError, did_you_mean

ROLES = ("clip", "frame", "x", "y", "z", "label", "animal")
NEEDED = ("clip", "frame", "x", "y")
JOINED = ("clip", "frame", "animal")  # may be several columns
OPTIONAL = ("clip", "z", "label", "animal")  # may be none
SCORES = ("likelihood", "score", "confidence", "conf")  # what programs call how sure a point is
NAMES = {  # what programs call the columns, the best name first
    "clip": ("clip", "clip id", "track id", "track", "trajectory", "trajectory id", "particle", "particle id", "id"),
    "frame": ("frame", "frame idx", "frame index", "frame number", "frame no", "fnum", "time", "t", "timestamp"),
    "x": ("x", "position x", "pos x", "x position", "x px", "x pixel", "x coordinate", "center x", "x center"),
    "y": ("y", "position y", "pos y", "y position", "y px", "y pixel", "y coordinate", "center y", "y center"),
    "z": ("z", "position z", "pos z", "z position", "z px", "z pixel", "z coordinate", "center z", "z center"),
    "label": ("label",),
    "animal": ("animal", "animal id", "individual", "individual id", "individuals", "subject", "subject id"),
}
BODY_PARTS = ("bodypart", "bodyparts", "body part", "body parts", "keypoint", "keypoints", "node", "landmark")
HINTS = {  # words of names that are suggested, but not taken unasked
    "clip": (r"\btrajec", r"\b(track|particle|object|individual|animal|cell)\b", r"\bname\b", r"id\b"),
    "frame": (r"\bframe", r"\btime", r"\bdate", r"\bslice\b", r"\bstep\b"),
    "x": (r"\blon(g|gitude)?\b", r"\beast", r"\bx\b"),
    "y": (r"\blat(itude)?\b", r"\bnorth", r"\by\b"),
}
SHOWN = 12  # names of columns in a message


def plain(name: str) -> str:
    """Return a name in small letters, without units in parentheses, and with spaces for other signs."""
    words = re.sub(r"[(\[].*?[)\]]", "", name)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", words)
    return re.sub(r"[^a-z0-9]+", " ", words.lower()).strip()


def columns_named(names: Sequence[str], requested: Mapping[str, str], path: Path, header: bool) -> dict[str, list[int]]:
    """Return the numbers of the columns of each role, from 0.

    Args:
        names: Of the columns.
        requested: Names by role, as the user gives them: one name, several joined by ``+`` for `JOINED` roles, the
            number of a column from 1, or nothing for one of the `OPTIONAL` roles that no column has: no labels, or one
            track.
        path: The table, for messages.
        header: Whether the table has a header.

    Returns:
        One column for each role that there is, and perhaps several for `JOINED` roles.

    Raises:
        DataError: If a requested column does not exist, a name stands for several, or a role needs a column.
    """
    unknown = [role for role in requested if role not in ROLES]
    if unknown:
        raise DataError(
            f"--columns: {unknown[0]!r} is not known{did_you_mean(unknown[0], ROLES)} (one of: {', '.join(ROLES)})"
        )
    chosen: dict[str, list[int]] = {}
    for role in ROLES:
        if role in requested:
            whole = requested[role] in names or role not in JOINED
            parts = [requested[role]] if whole else requested[role].split("+")
            chosen[role] = [_one(names, part.strip(), path, role) for part in parts if part.strip()]
            if not chosen[role] and role not in OPTIONAL:
                raise DataError(f"--columns {role}= names no column; only {', '.join(OPTIONAL)} may have none")
        elif header:
            chosen[role] = _by_name(names, role, path)
    return {role: numbers for role, numbers in chosen.items() if numbers}


def animal_columns(
    names: Sequence[str], chosen: Mapping[str, Sequence[int]], requested: Mapping[str, str]
) -> Sequence[int]:
    """Return the columns that name the animal of a row, where tracks are its body parts; none where they are not.

    They are those that the user names. Otherwise, in a table with a column of body parts, they are the other columns of
    ``clip`` if that joins both, and else the column of animals.

    Args:
        names: Of the columns.
        chosen: From `columns_named`.
        requested: See `columns_named`.
    """
    named, clip = chosen.get("animal", ()), chosen.get("clip", ())
    parts = [number for number, name in enumerate(names) if plain(name) in BODY_PARTS]
    if "animal" in requested or not parts:
        return named if "animal" in requested else ()
    others = [number for number in clip if number not in parts]
    return others if 0 < len(others) < len(clip) else named


def missing_columns(
    table: Table, chosen: Mapping[str, Sequence[int]], requested: Mapping[str, str], path: Path
) -> DataError:
    """Return the error for a table that lacks needed columns, with a suggestion."""
    names = table.names
    missing = [role for role in NEEDED if role not in chosen and role not in requested]
    used = {number for role, numbers in chosen.items() if role != "animal" for number in numbers}
    free = [name for number, name in enumerate(names) if number not in used]
    if not table.header:
        above = f" that fits (above the rows is {table.above[:40]!r})" if table.above else ""
        return DataError(
            f"{path} has no header line{above}; name its {len(names)} columns by their numbers, such as "
            "--columns clip=1,frame=2,x=3,y=4"
        )
    present = listed(names, SHOWN)
    guesses = {role: _guess(role, free) for role in missing}
    if missing == ["clip"] and not guesses["clip"]:
        return DataError(
            f"{path} has no column 'clip', but {present}; name it with --columns clip=NAME, or give --columns clip= if "
            "all rows are one track"
        )
    advice = ",".join(f"{role}={guesses[role] or 'NAME'}" for role in missing)
    mean = "; did you mean" if all(guesses.values()) else "; name what they are called, such as"
    words = f"column {missing[0]!r}" if len(missing) == 1 else f"columns {', '.join(map(repr, missing))}"
    return DataError(f"{path} has no {words}, but {present}{mean} --columns {advice}")


def _guess(role: str, names: Sequence[str]) -> str | None:
    """Return the name that is most like what a role is called elsewhere, or None."""
    similar = difflib.get_close_matches(role, names, n=1, cutoff=0.7)
    called = {name: plain(name) for name in names if not set(SCORES) & set(plain(name).split())}
    alike = [[name for name in called if re.search(hint, called[name])] for hint in HINTS[role]]
    best = next(filter(None, [similar, *alike]), [None])
    return next((name for name in best if name and re.search(r"(id|identifier|number)$", plain(name))), best[0])


def _by_name(names: Sequence[str], role: str, path: Path) -> list[int]:
    """Return the column with the best name for a role; none if there is none."""
    exact = [number for number, name in enumerate(names) if name == role]
    for name in () if exact else NAMES[role]:
        alike = [number for number, other in enumerate(names) if plain(other) == name]
        if alike:
            exact = alike
            break
    if len(exact) > 1:
        raise _several(names[exact[0]], exact, path, role)
    return exact


def _one(names: Sequence[str], name: str, path: Path, role: str) -> int:
    """Return the column of a name, or of a number from 1."""
    for same in (str, str.casefold):
        matching = [number for number, other in enumerate(names) if same(other) == same(name)]
        if len(matching) > 1:
            raise _several(name, matching, path, role)
        if matching:
            return matching[0]
    if name.isdecimal() and 1 <= int(name) <= len(names):
        return int(name) - 1
    raise DataError(f"{path} has no column {name!r}{did_you_mean(name, names)} (columns: {listed(names, SHOWN)})")


def _several(name: str, numbers: Sequence[int], path: Path, role: str) -> DataError:
    choices = " and ".join(str(number + 1) for number in numbers)
    return DataError(
        f"{path} has several columns {name!r}, number {choices}; choose one by its number, such as "
        f"--columns {role}={numbers[0] + 1}"
    )
