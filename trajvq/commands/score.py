"""``trajvq score``: anyone's clips against a dataset split, on the same scoreboard as our own models."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trajvq.commands.parser import Parser
from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.chart import REPEATS
from trajvq.metrics.scoreboard import written
from trajvq.metrics.submissions.chart import Chart
from trajvq.metrics.submissions.motion import score_forecasts, score_samples
from trajvq.metrics.submissions.reconstruction import Submission, score_reconstructions
from trajvq.report.chart import plot_chart
from trajvq.report.table import print_scoreboard


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="trajvq score", description="Score anyone's clips against a dataset split.")
    parser.add_argument(
        "path",
        type=Path,
        help=".npz or .h5 with `video`, of samples `label`; perhaps `index`, `indices`, `codebook_size`",
    )
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--split", default="test", help="split that was answered; samples answer none (default: test)")
    tasks = ("recon", "sample", "forecast")
    parser.add_argument("--task", choices=tasks, default="recon", help="what the clips are (default: recon)")
    parser.add_argument("--context", type=int, default=8, help="forecast: frames that were given (default: 8)")
    parser.add_argument("--reconstructed", type=Path, help="sample: val through the same tokenizer, for the judge")
    parser.add_argument("--out", type=Path, help="write the scoreboard here, as JSON")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run ``trajvq score``; returns the exit code.

    Raises:
        DataError: With one line for the user.
    """
    asked = _parser().parse_args(arguments)
    start = time.monotonic()
    clips = Clips(asked.data, asked.split)
    if asked.task == "recon":
        found = score_reconstructions(asked.path, clips)
    elif asked.task == "forecast":
        found = score_forecasts(asked.path, clips, asked.context)
    else:
        found = score_samples(asked.path, Clips(asked.data, "val"), asked.reconstructed)
    board = written(asked.task, asked.split, round(time.monotonic() - start, 1), str(asked.path), found)
    print_scoreboard(board)
    if "chart" in found:
        board["chart"] = found["chart"].as_json()
        _show_chart(asked.path, clips, found["chart"], (asked.out or Path("chart.json")).with_suffix(".png"))
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(board, indent=1))
        print(f"scoreboard: {asked.out}")
    return 0


def _show_chart(path: Path, clips: Clips, chart: Chart, picture: Path) -> None:
    for name, found in chart.thresholds.items():
        print(f"{name} threshold: {found['value']:.3g} ({found['low']:.3g} to {found['high']:.3g})")
    count = chart.visible.size * REPEATS
    given = Submission(path, clips)
    made = np.stack([given.read(row) for row in range(count)]).transpose(0, 1, 4, 2, 3)
    batch = clips.batch(list(range(count)))
    plot_chart(chart, batch["video"].numpy(), made, batch["pixel"].numpy(), picture, path.stem)
    print(f"eye chart: {picture}")
