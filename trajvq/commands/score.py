"""``trajvq score``: score anyone's clips against a dataset split, on the scoreboard of trajvq's own models."""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trajvq.commands.parser import Parser
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.synthetic.chart import REPEATS
from trajvq.io.files import writing
from trajvq.metrics.scoreboard import scoreboard_content
from trajvq.metrics.submissions.chart import EyeChart
from trajvq.metrics.submissions.motion import score_forecasts
from trajvq.metrics.submissions.reconstruction import score_reconstructions
from trajvq.metrics.submissions.samples import score_samples
from trajvq.metrics.submissions.submission import Submission
from trajvq.report.eye_chart import plot_eye_chart
from trajvq.report.table import print_scoreboard

Scorer = Callable[[argparse.Namespace], dict[str, Any]]
CHOOSE = "choose another --out; the scoreboard is printed above"
# By value of --task: from the arguments to a scoreboard.
SCORERS: dict[str, Scorer] = {
    "recon": lambda args: score_reconstructions(args.path, Clips(args.data, args.split)),
    "sample": lambda args: score_samples(args.path, Clips(args.data, "val"), args.reconstructed, args.count),
    "forecast": lambda args: score_forecasts(args.path, Clips(args.data, args.split), args.context),
}


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="trajvq score", description="Score anyone's clips against a dataset split.")
    parser.add_argument(
        "path",
        type=Path,
        help=".npz or .h5 with `video`, for samples also `label`; optional: `index`, `indices`, `codebook_size`",
    )
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument(
        "--split", default="test", help="split that the clips belong to; samples belong to none (default: test)"
    )
    parser.add_argument("--task", choices=tuple(SCORERS), default="recon", help="what the clips are (default: recon)")
    parser.add_argument(
        "--context", type=int, default=8, help="forecast: frames of a clip that the model saw (default: 8)"
    )
    parser.add_argument(
        "--reconstructed", type=Path, help="sample: split val reconstructed by the same tokenizer, for the judge"
    )
    parser.add_argument("--count", type=int, help="sample: refuse other than so many samples of each class")
    parser.add_argument("--out", type=Path, help="JSON file to write the scoreboard to")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run ``trajvq score`` and return the exit code.

    Raises:
        DataError: If the clips or the dataset cannot be read, or do not match.
        UserError: If the scoreboard cannot be written.
    """
    args = _parser().parse_args(arguments)
    start = time.monotonic()
    board = SCORERS[args.task](args)
    seconds = round(time.monotonic() - start, 1)
    dataset = {"path": str(args.data), "sha256": read_manifest(args.data).sha256}
    content = scoreboard_content(args.task, args.split, seconds, str(args.path), board, dataset)
    print_scoreboard(content)
    if "chart" in board:
        content["chart"] = board["chart"].as_json()
        picture = (args.out or Path("chart.json")).with_suffix(".png")
        with writing(picture, CHOOSE):
            _show_chart(args.path, Clips(args.data, args.split), board["chart"], picture)
    if args.out:
        with writing(args.out, CHOOSE):
            args.out.write_text(json.dumps(content, indent=1), encoding="utf-8")
        print(f"scoreboard: {args.out}")
    return 0


def _show_chart(path: Path, clips: Clips, chart: EyeChart, picture: Path) -> None:
    """Print the thresholds of an eye chart and plot it beside its reconstructions."""
    for name, threshold in chart.thresholds.items():
        print(f"{name} threshold: {threshold['value']:.3g} ({threshold['low']:.3g} to {threshold['high']:.3g})")
    reconstructions = Submission(path, clips).clips_for(list(range(chart.visible.size * REPEATS)))
    plot_eye_chart(chart, clips, reconstructions, picture, path.stem)
    print(f"eye chart: {picture}")
