"""``trajvq data``: generate and import datasets. Starts without torch or Lightning."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from trajvq.data.generate import OOD, OOD_CLIPS, PRESETS, generate
from trajvq.data.imports import import_videos
from trajvq.data.store import Manifest
from trajvq.errors import UserError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see `{self.prog} --help`")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="trajvq data", description="Make and import datasets.")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("generate", help="clips of the four motion families with exact ground truth")
    make.add_argument("--out", type=Path, required=True, help="dataset folder to make")
    for split, count in PRESETS["default"].items():
        make.add_argument(f"--{split}", type=int, metavar="N", help=f"clips in {split} (default: {count})")
    make.add_argument("--ood", type=int, metavar="N", default=OOD_CLIPS, help="clips in each ood_* split")
    make.add_argument("--seed", type=int, default=0, help="the same seed gives the same pixels (default: 0)")
    make.add_argument("--preset", default="default", help=f"one of: {', '.join(PRESETS)}")
    make.add_argument("--frames", type=int, default=16, help="frames a clip (default: 16)")
    make.add_argument("--size", type=int, default=64, help="height and width in pixels (default: 64)")
    bring = commands.add_parser("import-videos", help=".npz with `videos` and, if there are any, `labels`")
    bring.add_argument("path", type=Path, help="the .npz file")
    bring.add_argument("--out", type=Path, required=True, help="dataset folder to make")
    bring.add_argument("--val", type=int, metavar="N", help="clips in val (default: a tenth)")
    bring.add_argument("--test", type=int, metavar="N", help="clips in test (default: a fifth)")
    bring.add_argument("--seed", type=int, default=0, help="seed of the deal of clips to splits (default: 0)")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run a ``trajvq data`` command; returns the exit code.

    Raises:
        DataError: With one line for the user.
    """
    asked = _parser().parse_args(arguments)
    if asked.command == "generate":
        clips = {split: getattr(asked, split) for split in PRESETS["default"] if getattr(asked, split) is not None}
        clips |= {split: asked.ood for split in OOD}
        made = generate(asked.out, clips, asked.seed, asked.preset, asked.frames, asked.size)
    else:
        made = import_videos(asked.path, asked.out, asked.val, asked.test, asked.seed)
    print(_summary(asked.out, made))
    return 0


def _summary(out: Path, manifest: Manifest) -> str:
    splits = ", ".join(f"{split} {manifest.clips(split):,}" for split in manifest.splits)
    return f"{out}: {splits} clips; sha256 {manifest.sha256[:12]}"
