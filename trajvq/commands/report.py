"""``trajvq report``: one HTML file that shows one run, or compares many."""

from collections.abc import Sequence
from pathlib import Path

from trajvq.commands.parser import Parser
from trajvq.errors import UserError
from trajvq.io.files import write_text


def main(arguments: Sequence[str]) -> int:
    """Run ``trajvq report``; returns the exit code.

    Raises:
        UserError: With one line for the user.
    """
    parser = Parser(prog="trajvq report", description="Write one HTML file that shows one run, or compares many.")
    what = "run folder, such as runs/recon/latest, or a scoreboard that `trajvq score --out` wrote"
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=what)
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    parser.add_argument("--title", help="heading (default: names of the runs)")
    asked = parser.parse_args(arguments)
    from trajvq.report.page import render
    from trajvq.report.runs import read_run

    runs = [read_run(path) for path in asked.runs]
    title = asked.title or ", ".join(dict.fromkeys(f"{run.task} {run.name}" for run in runs))
    page = render(runs, title)
    try:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        write_text(asked.out, page)
    except OSError as error:
        raise UserError(f"cannot write {asked.out}: {error.strerror or error}; choose another --out") from None
    for run in runs:
        if not run.details:
            print(f"{run.folder}: no clips to show; `trajvq test` leaves them beside its scoreboards")
    print(f"report: {asked.out} ({len(page.encode()) / 1e6:.1f} MB)")
    return 0
