"""``trajvq score``: anyone's clips against a dataset split, on the same scoreboard as our own models."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from trajvq.commands.data import Parser
from trajvq.data.clips import Clips
from trajvq.metrics.score import score_reconstructions
from trajvq.metrics.scoreboard import written
from trajvq.report.table import scoreboard_table


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="trajvq score", description="Score anyone's clips against a dataset split.")
    parser.add_argument("path", type=Path, help=".npz or .h5 with `video`, perhaps `index`, `indices`, `codebook_size`")
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--split", default="test", help="split that was answered (default: test)")
    parser.add_argument("--task", choices=("recon",), default="recon", help="what the clips are (default: recon)")
    parser.add_argument("--out", type=Path, help="write the scoreboard here, as JSON")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run ``trajvq score``; returns the exit code.

    Raises:
        DataError: With one line for the user.
    """
    asked = _parser().parse_args(arguments)
    start = time.monotonic()
    found = score_reconstructions(asked.path, Clips(asked.data, asked.split))
    board = written(asked.task, asked.split, round(time.monotonic() - start, 1), str(asked.path), found)
    Console(width=None if Console().is_terminal else 120).print(scoreboard_table(board))
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(board, indent=1))
        print(f"scoreboard: {asked.out}")
    return 0
