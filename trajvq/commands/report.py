"""``trajvq report``: write one HTML file that shows one run or compares several."""

from collections.abc import Sequence
from pathlib import Path

from trajvq.commands.parser import Parser
from trajvq.io.files import write_text, writing


def main(arguments: Sequence[str]) -> int:
    """Run ``trajvq report`` and return the exit code.

    Raises:
        UserError: If a run cannot be read or the file cannot be written.
    """
    parser = Parser(prog="trajvq report", description="Write one HTML file that shows one run or compares several.")
    run_help = "run folder, such as runs/recon/latest, or a scoreboard written by `trajvq score --out`"
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=run_help)
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    parser.add_argument("--title", help="heading (default: the names of the runs)")
    args = parser.parse_args(arguments)
    from trajvq.report.page import render_page
    from trajvq.report.runs import read_run

    runs = [read_run(path) for path in args.runs]
    title = args.title or ", ".join(dict.fromkeys(f"{run.task} {run.name}" for run in runs))
    page = render_page(runs, title)
    with writing(args.out):
        write_text(args.out, page)
    for run in runs:
        if not run.details:
            print(f"{run.folder} has no clips to show; `trajvq test` writes them beside its scoreboards")
    print(f"report: {args.out} ({len(page.encode()) / 1e6:.1f} MB)")
    return 0
