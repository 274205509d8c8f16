"""``trajvq data``: generate, import, verify and show datasets. Starts without torch or Lightning."""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trajvq.commands.parser import Parser
from trajvq.data.storage.manifest import Manifest
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD, PRESETS
from trajvq.io.video import Size


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="trajvq data", description="Generate, import, verify and show datasets.")
    commands = parser.add_subparsers(dest="command", required=True)
    generator = commands.add_parser("generate", help="generate clips of the motion families with exact ground truth")
    generator.add_argument("--out", type=Path, required=True, help="dataset folder to write, or to continue")
    for split in ("train", "val", "test"):
        generator.add_argument(f"--{split}", type=int, metavar="N", help=f"clips in {split} (default: the preset's)")
    generator.add_argument("--ood", type=int, metavar="N", help="clips in each ood_* split (default: the preset's)")
    generator.add_argument("--seed", type=_seed, help="the same seed gives the same pixels (default: 0)")
    generator.add_argument("--preset", default="default", help=f"one of: {', '.join(PRESETS)} (default: default)")
    generator.add_argument("--frames", type=int, default=16, help="frames per clip (default: 16)")
    size_help = "pixels: one side, or WIDTHxHEIGHT"
    size: dict[str, Any] = {"type": _size, "metavar": "N|WxH"}
    generator.add_argument("--size", **size, default=64, help=f"{size_help} (default: 64)")
    generator.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    generator.add_argument("--force", action="store_true", help="replace the dataset in the folder")
    plugin_help = "module of your own to import first, such as one with a motion family"
    generator.add_argument("--plugin", action="append", default=[], metavar="MODULE", help=plugin_help)

    videos = commands.add_parser(
        "import-videos", help="import .npz .npy .h5 .mp4 .tif, or a folder with a folder per class"
    )
    videos.add_argument("path", type=Path, help="the file or folder")
    videos.add_argument("--frames", type=int, help="frames per clip (default: the videos' up to 32, else 16)")
    videos.add_argument("--size", **size, help=f"{size_help} (default: the videos' up to 128, else 64)")
    videos.add_argument(
        "--tile", action="store_true", help="cut frames into windows of the clip's size (64) instead of shrinking them"
    )
    crop_help = "part of a frame to use, in pixels; before --tile"
    videos.add_argument("--crop", type=_box, metavar="LEFT,TOP,WIDTH,HEIGHT", help=crop_help)
    videos.add_argument("--skip-bad", action="store_true", help="leave out videos that cannot be read, and count them")
    videos.add_argument("--axes", help="order of an array's axes, such as NTCHW or TNHW (default: detected)")
    array_help = "name of the array of videos in an .npz or .h5 (default: videos, or the only one like videos)"
    videos.add_argument("--array", metavar="NAME", help=array_help)
    rate_help = "frames per second to take of video files, by their times (default: all frames as they come)"
    videos.add_argument("--rate", type=float, help=rate_help)
    tracks = commands.add_parser(
        "import-tracks", help="import a table, CSV or Parquet: clip, frame, x, y[, z][, label]"
    )
    tracks.add_argument("path", type=Path, help="the table")
    tracks.add_argument("--frames", type=int, default=16, help="frames per clip (default: 16)")
    tracks.add_argument("--size", **size, default=64, help=f"{size_help} (default: 64)")
    tracks.add_argument(
        "--preset", default="default", help="preset whose style, sizes and colors to use (default: default)"
    )
    tracks.add_argument("--span", type=float, default=0.7, help="share of the frame that a path spans (default: 0.7)")
    y_help = "the y axis points down, as in images (default: as the program that wrote the table has it, else up)"
    tracks.add_argument("--y-down", action=argparse.BooleanOptionalAction, default=None, help=y_help)
    columns_help = "names of the columns, or their numbers from 1, such as clip=TRACK_ID,frame=FRAME; label= for none"
    tracks.add_argument("--columns", type=_columns, metavar="ROLE=NAME,...", help=columns_help)
    points_help = "points of a track that make a clip (default: all up to a large gap)"
    tracks.add_argument("--points", type=int, metavar="N", help=points_help)
    score_help = "least likelihood or score of a point (default: 0.6 for DeepLabCut, else none)"
    tracks.add_argument("--min-score", type=float, metavar="P", help=score_help)
    skip_help = "leave out rows and tracks that cannot be used, and count them"
    tracks.add_argument("--skip-bad", action="store_true", help=skip_help)
    for importer, unit in ((videos, "videos"), (tracks, "tracks")):
        importer.add_argument("--out", type=Path, required=True, help="dataset folder to write")
        classes_help = "names of the labels in ascending order, such as linear,circular"
        importer.add_argument("--classes", type=_names, default=(), metavar="A,B,...", help=classes_help)
        importer.add_argument("--val", type=int, metavar="N", help=f"{unit} in val (default: a tenth)")
        importer.add_argument("--test", type=int, metavar="N", help=f"{unit} in test (default: a fifth)")
        importer.add_argument("--seed", type=_seed, default=0, help=f"seed that splits the {unit} (default: 0)")
        importer.add_argument("--fold", type=int, default=0, help="fold of a cross-validation, from 0 (default: 0)")

    check = commands.add_parser("verify", help="check files, clips and ground truth; exit code 1 if there is a fault")
    check.add_argument("path", type=Path, help="dataset folder")
    show = commands.add_parser("info", help="show the contents, with a contact sheet")
    show.add_argument("path", type=Path, help="dataset folder")
    show.add_argument("--sheet", type=Path, help="PNG file to write (default: contact_sheet.png in the dataset folder)")
    show.add_argument("--jsonl", type=Path, help="write labels, equations and descriptions as JSON Lines")
    return parser


def _size(text: str) -> Size:
    """Return the size that ``64`` or ``96x72``, width first, stands for."""
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text.lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give pixels as 64, or width x height as 96x72")
    width, height = int(match[1]), int(match[2] or match[1])
    return width if width == height else (width, height)


def _seed(text: str) -> int:
    """Return the seed that a text stands for."""
    if not re.fullmatch(r"\d+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; give a whole number from 0")
    return int(text)


def _box(text: str) -> tuple[int, int, int, int]:
    """Return left, top, width and height."""
    match = re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", text.replace(" ", ""))
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no part of a frame; give LEFT,TOP,WIDTH,HEIGHT as 10,20,64,64")
    left, top, width, height = map(int, match.groups())
    return left, top, width, height


def _names(text: str) -> tuple[str, ...]:
    """Return names that are separated by commas."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty name; give names as linear,circular")
    return names


def _columns(text: str) -> dict[str, str]:
    """Return names of columns by role. Names may contain commas."""
    columns = {}
    for part in re.split(r",\s*(?=\w+\s*=)", text):
        role, equals, name = part.partition("=")
        if not equals or role.strip() in columns:
            raise argparse.ArgumentTypeError(f"{text!r} is no list of columns; give clip=NAME,frame=NAME,x=NAME,y=NAME")
        columns[role.strip()] = name.strip()
    return columns


def main(arguments: Sequence[str]) -> int:
    """Run a ``trajvq data`` command and return the exit code.

    Raises:
        DataError: If a dataset or an import is wrong.
    """
    args = vars(_parser().parse_args(arguments))
    command = args.pop("command")
    if command == "verify":
        from trajvq.report.verification import print_verification

        return print_verification(args["path"])
    if command == "info":
        from trajvq.report.contents import print_contents

        return print_contents(args["path"], args["sheet"], args["jsonl"])
    if command == "generate":
        manifest = _generate(**args)
    elif command == "import-videos":
        from trajvq.data.imports.videos import import_videos

        manifest = import_videos(**args)
    else:
        from trajvq.data.imports.tracks import import_tracks

        manifest = import_tracks(**args)
    print(_summary(args["out"], manifest))
    return 0


def _generate(
    train: int | None, val: int | None, test: int | None, ood: int | None, plugin: list[str], **options: Any
) -> Manifest:
    clips = {"train": train, "val": val, "test": test, **dict.fromkeys(OOD, ood)}
    return generate(clips={k: n for k, n in clips.items() if n is not None}, plugins=plugin, **options)


def _summary(out: Path, manifest: Manifest) -> str:
    splits = ", ".join(f"{split} {manifest.clips(split):,}" for split in manifest.splits)
    return f"{out}: {splits} clips; sha256 {manifest.sha256[:12]}"
