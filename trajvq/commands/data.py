"""``trajvq data``: generate, import, verify and show datasets. Starts without torch or Lightning."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trajvq.commands.parser import Parser
from trajvq.data.storage.shards import Manifest
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD, PRESETS


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="trajvq data", description="Make, import, verify and show datasets.")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("generate", help="clips of the motion families with exact ground truth")
    make.add_argument("--out", type=Path, required=True, help="dataset folder to make, or to go on with")
    for split in ("train", "val", "test"):
        make.add_argument(f"--{split}", type=int, metavar="N", help=f"clips in {split} (default: the preset's)")
    make.add_argument("--ood", type=int, metavar="N", help="clips in each ood_* split (default: the preset's)")
    make.add_argument("--seed", type=int, help="the same seed gives the same pixels (default: 0)")
    make.add_argument("--preset", default="default", help=f"one of: {', '.join(PRESETS)} (default: default)")
    make.add_argument("--frames", type=int, default=16, help="frames a clip (default: 16)")
    make.add_argument("--size", type=int, default=64, help="height and width in pixels (default: 64)")
    make.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    make.add_argument("--force", action="store_true", help="start over in a folder that holds a dataset")
    make.add_argument("--plugin", action="append", default=[], metavar="MODULE", help="import a module of yours first")

    videos = commands.add_parser("import-videos", help=".npz .npy .h5 .mp4, or a folder with a folder per class")
    videos.add_argument("path", type=Path, help="the file or folder")
    videos.add_argument("--frames", type=int, help="frames a clip (default: the videos' own up to 32, else 16)")
    videos.add_argument("--size", type=int, help="height and width in pixels (default: own up to 128, else 64)")
    videos.add_argument("--axes", help="order of an array's axes, such as NTCHW or TNHW (default: detected)")
    tracks = commands.add_parser("import-tracks", help="CSV or Parquet: clip, frame, x, y[, z][, label]")
    tracks.add_argument("path", type=Path, help="the table")
    tracks.add_argument("--frames", type=int, default=16, help="frames a clip (default: 16)")
    tracks.add_argument("--size", type=int, default=64, help="height and width in pixels (default: 64)")
    tracks.add_argument("--preset", default="default", help="whose look, sizes and colors to use")
    tracks.add_argument("--span", type=float, default=0.7, help="share of the frame a path takes (default: 0.7)")
    tracks.add_argument("--y-down", action="store_true", help="the y axis points down, as in pictures")
    for bring, what in ((videos, "videos"), (tracks, "tracks")):
        bring.add_argument("--out", type=Path, required=True, help="dataset folder to make")
        bring.add_argument("--val", type=int, metavar="N", help=f"{what} in val (default: a tenth)")
        bring.add_argument("--test", type=int, metavar="N", help=f"{what} in test (default: a fifth)")
        bring.add_argument("--seed", type=int, default=0, help=f"seed of the deal of {what} to splits (default: 0)")
        bring.add_argument("--fold", type=int, default=0, help="deal of a cross-validation, from 0 (default: 0)")

    check = commands.add_parser("verify", help="check files, clips and ground truth; exit code 1 on any fault")
    check.add_argument("path", type=Path, help="dataset folder")
    show = commands.add_parser("info", help="what is inside, with a contact sheet")
    show.add_argument("path", type=Path, help="dataset folder")
    show.add_argument("--sheet", type=Path, help="PNG to write (default: contact_sheet.png in the dataset folder)")
    show.add_argument("--jsonl", type=Path, help="write labels, equations and descriptions as JSON Lines")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run a ``trajvq data`` command; returns the exit code.

    Raises:
        DataError: With one line for the user.
    """
    asked = vars(_parser().parse_args(arguments))
    command = asked.pop("command")
    if command == "verify":
        from trajvq.report.verification import print_verification

        return print_verification(asked["path"])
    if command == "info":
        from trajvq.report.contents import print_contents

        return print_contents(asked["path"], asked["sheet"], asked["jsonl"])
    if command == "generate":
        made = _generate(**asked)
    elif command == "import-videos":
        from trajvq.data.imports.videos import import_videos

        made = import_videos(**asked)
    else:
        from trajvq.data.imports.tracks import import_tracks

        made = import_tracks(**asked)
    print(_summary(asked["out"], made))
    return 0


def _generate(
    train: int | None, val: int | None, test: int | None, ood: int | None, plugin: list[str], **rest: Any
) -> Manifest:
    clips = {"train": train, "val": val, "test": test, **dict.fromkeys(OOD, ood)}
    return generate(clips={k: n for k, n in clips.items() if n is not None}, plugins=plugin, **rest)


def _summary(out: Path, manifest: Manifest) -> str:
    splits = ", ".join(f"{split} {manifest.clips(split):,}" for split in manifest.splits)
    return f"{out}: {splits} clips; sha256 {manifest.sha256[:12]}"
