"""Tables of tracks that the tests of imports write, in the layouts of several programs."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

HEADER = "clip,frame,x,y"
Row = tuple[str, int, float, float]


def rows(tracks: int = 6, points: int = 8, names: Iterable[str] | None = None) -> list[Row]:
    """Points of curved tracks, each in its own direction: name, frame, x, y."""
    labels = list(names or map(str, range(tracks)))
    return [
        (name, f, round(30 * k + 4 * f * math.cos(k) - 0.3 * f * f * math.sin(k), 3),
         round(20 * k + 4 * f * math.sin(k) + 0.3 * f * f * math.cos(k), 3))
        for k, name in enumerate(labels)
        for f in range(points)
    ]  # fmt: skip


def write(
    path: Path,
    header: str = HEADER,
    line: str | Callable[[str, int, float, float], str] = "{0},{1},{2},{3}",
    points: Iterable[Row] | None = None,
    encoding: str = "utf-8",
) -> Path:
    """Write a table, one point a line; ``line`` is a format, or a function of name, frame, x and y."""
    lines = [line.format(*row) if isinstance(line, str) else line(*row) for row in points or rows()]
    path.write_bytes("".join(f"{text}\n" for text in ([header] if header else []) + lines).encode(encoding))
    return path


def trackmate(path: Path) -> Path:
    """Spots as TrackMate exports them: three more lines of header, one spot in no track."""
    header = [
        "LABEL,ID,TRACK_ID,QUALITY,POSITION_X,POSITION_Y,POSITION_Z,POSITION_T,FRAME",
        "Label,Spot ID,Track ID,Quality,X,Y,Z,T,Frame",
        "Label,Spot ID,Track ID,Quality,X,Y,Z,T,Frame",
        ",,,(quality),(micron),(micron),(micron),(sec),",
    ]
    numbers = iter(range(1000, 2000))
    write(
        path,
        "\n".join(header),
        lambda c, f, x, y: f"ID{next(numbers)},{next(numbers)},{c},5.1,{x},{y},0.0,{f * 0.5},{f}",
    )
    with path.open("a") as file:
        file.write("ID9,9,,5.1,1.0,1.0,0.0,0.0,0\n")
    return path


def trackpy(path: Path) -> Path:
    """What trackpy's linked features are as CSV: an index without a name, particles as floats, an empty column."""
    return write(path, ",y,x,mass,ep,frame,particle", lambda c, f, x, y: f"{f},{y},{x},250.1,,{f},{c}.0")


def deeplabcut(path: Path, frames: int = 60) -> Path:
    """Predictions of DeepLabCut: two body parts, the second one sure in the first half only."""
    lines = ["scorer,net,net,net,net,net,net", "bodyparts,head,head,head,tail,tail,tail"]
    lines += ["coords,x,y,likelihood,x,y,likelihood"]
    for f in range(frames):
        x, y = 100 + 3 * f, 80 + 20 * math.sin(f / 5)
        lines.append(f"{f},{x},{y:.3f},0.98,{x - 10},{y - 5:.3f},{0.9 if f < frames // 2 else 0.2}")
    path.write_text("\n".join(lines) + "\n")
    return path


def sleap(path: Path, frames: int = 8) -> Path:
    """An analysis CSV of SLEAP: two animals with two points, the tail of the second one never seen."""
    return write(
        path,
        "track,frame_idx,instance.score,head.x,head.y,head.score,tail.x,tail.y,tail.score",
        lambda c, f, x, y: f"track_{c},{f},0.9,{x},{y},0.8," + (",,0.0" if c == "1" else f"{x - 3},{y - 3},0.7"),
        rows(2, frames),
    )


def mot(path: Path, truth: bool = False) -> Path:
    """MOTChallenge: ten columns without a header, or nine of ground truth, where track 2 does not count."""

    def line(c: str, f: int, x: float, y: float) -> str:
        return f"{f + 1},{c},{x},{y},30,60," + (f"{int(c != '2')},1,1.0" if truth else "0.9,-1,-1,-1")

    return write(path, "", line, rows(6, 8, "123456"))
