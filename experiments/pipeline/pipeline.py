"""Run all four phases of the predecessor's plan: reconstruct, classify, sample and forecast.

    python experiments/pipeline/pipeline.py                # 200 clips and the default data
    python experiments/pipeline/pipeline.py --steps 20     # a short trial

Everything is written to ``runs/pipeline``: one run folder per phase and dataset, one log per dataset, ``report.html``
and ``table.md``. After an interruption, the same command continues. The datasets run in parallel and share the cores,
because networks of this size gain little from a second core.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATASETS = {"seed200": "200 clips", "default": "4,800 clips"}
LONGER = 15  # in a short trial the tokenizer trains longer by this factor: tasks refuse one that learned nothing
Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Phase:
    """A task with the predecessor's criterion and ours.

    Attributes:
        task: Name of the task and of its config.
        figure: Figure of the scoreboard that the table shows.
        theirs: The predecessor's criterion in words; ``{row figure}`` stands for a figure of a row.
        their_test: Whether the rows of a scoreboard meet it.
        ours: Our criterion in words, with figures like theirs.
        our_test: Whether the rows of a scoreboard meet it.
        trial: Extra settings of a short trial.
    """

    task: str
    figure: str
    theirs: str
    their_test: Callable[[Rows], bool]
    ours: str
    our_test: Callable[[Rows], bool]
    trial: tuple[str, ...] = ()


def value(rows: Rows, figure: str, row: str = "model", end: str = "value") -> float:
    """Return a figure of a row, or an end of its interval."""
    entry = rows[row][figure]
    return float(entry[end]) if isinstance(entry, Mapping) else float(entry)


def best(rows: Rows, figure: str, names: tuple[str, ...], pick: Callable[..., float]) -> float:
    """Return the best value of a figure over the rows that have it."""
    return pick(value(rows, figure, name) for name in names if name in rows and figure in rows[name])


def named(rows: Sequence[str]) -> str:
    """Return the names of rows as words."""
    return f"{', '.join(rows[:-1])} and {rows[-1]}"


def filled(text: str, rows: Rows) -> str:
    """Return a criterion with the figures it names; a dash for one that the scoreboard does not have."""

    def figure(match: re.Match[str]) -> str:
        row, name = match.groups()
        return f"{value(rows, name, row):.3f}" if name in rows.get(row, {}) else "–"

    return re.sub(r"\{(\w+) (\w+)\}", figure, text)


TRIVIAL = ("majority", "pixel_probe", "nearest_pixels")
SIMPLE = ("copy_last", "velocity_2_points", "constant_velocity", "quadratic", "nearest_clip")
PHASES = (
    Phase(
        "recon",
        "centroid_error",
        "MSE < 0.1 (a blank clip has {blank mse})",
        lambda rows: value(rows, "mse") < 0.1,
        "object visible in 99 % of the frames, centroid error below 0.5 px",
        lambda rows: value(rows, "visible") > 0.99 and value(rows, "centroid_error") < 0.5,
    ),
    Phase(
        "classify",
        "accuracy",
        "accuracy > 90 %",
        lambda rows: value(rows, "accuracy") > 0.9,
        f"lower end of the interval above 90 % and above {named(TRIVIAL)}; ceilings: the judge on true points "
        "{judge_true accuracy}, on tracked pixels {judge_tracked accuracy}",
        lambda rows: value(rows, "accuracy", end="low") > max(0.9, best(rows, "accuracy", TRIVIAL, max)),
    ),
    Phase(
        "sample",
        "class_match",
        "samples match the requested class",
        lambda rows: value(rows, "class_match") > 0.5,
        "the judge assigns 90 % to the requested class, without filtering; ceiling: reconstructions of real clips "
        "{reconstructed class_match}",
        lambda rows: value(rows, "class_match", end="low") > 0.9,
        ("--model.samples=25",),
    ),
    Phase(
        "forecast",
        "ade",
        "a prediction beside the ground truth",
        lambda rows: "ade" in rows["model"],
        f"upper end of the interval below {named(SIMPLE)}; ceilings: families fitted to tracked pixels "
        "{best_family_tracked ade}, the true one {true_family_tracked ade}",
        lambda rows: value(rows, "ade", end="high") < best(rows, "ade", SIMPLE, min),
        ("--model.samples=2",),
    ),
)


def trajvq(*words: str, log: Path, threads: int) -> None:
    """Run a command with a number of threads and append its output to the log.

    Raises:
        SystemExit: If the command fails; the message names the log.
    """
    print("$ trajvq", *words, flush=True)
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    with log.open("a") as out:
        out.write(f"$ trajvq {' '.join(words)}\n")
        out.flush()
        done = subprocess.run(
            [sys.executable, "-m", "trajvq", *words], check=False, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    if done.returncode:
        message = f"trajvq {words[0]} ended with exit code {done.returncode}; see the end of {log}"
        print(message, flush=True)  # immediately: the other datasets continue
        raise SystemExit(message)


def run_phase(phase: Phase, dataset: str, root: Path, steps: int | None, threads: int) -> Path:
    """Train and test one phase unless that is done; return the run folder."""
    folder = root / phase.task
    run = folder / dataset
    common = ["--config", phase.task, f"--run_root={folder}", f"--run={dataset}", f"--data.path=datasets/{dataset}"]
    if phase.task != "recon":
        common.append(f"--model.tokenizer_ckpt={root}/recon/{dataset}/checkpoints/best.ckpt")
    elif steps:
        steps *= LONGER
    short = [f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={steps}", *phase.trial] if steps else []
    log = root / f"{dataset}.log"
    if not (run / "complete.json").exists():
        trajvq("fit", *common, *short, log=log, threads=threads)
    if not (run / "scoreboards/test.json").exists():
        trajvq("test", *common, *short, log=log, threads=threads)
    return run


def run_dataset(dataset: str, tasks: list[str], root: Path, steps: int | None, threads: int) -> list[tuple[str, Path]]:
    """Generate a dataset and run its phases; return a line of the table and a run folder for each."""
    log = root / f"{dataset}.log"
    trajvq("data", "generate", "--out", f"datasets/{dataset}", "--preset", dataset, log=log, threads=threads)
    done, kept = [], root / f"{dataset}-minutes.json"
    minutes: dict[str, float] = json.loads(kept.read_text()) if kept.exists() else {}
    for phase in PHASES:
        if phase.task in tasks:
            start = time.monotonic()
            try:
                run = run_phase(phase, dataset, root, steps, threads)
            finally:
                minutes[phase.task] = minutes.get(phase.task, 0.0) + (time.monotonic() - start) / 60
                kept.write_text(json.dumps(minutes))
            rows = json.loads((run / "scoreboards/test.json").read_text())["rows"]
            done.append((line(phase, dataset, rows, minutes[phase.task]), run))
            print(done[-1][0], flush=True)
    return done


def line(phase: Phase, dataset: str, rows: Rows, minutes: float) -> str:
    """Return a line of the table."""
    entry = rows["model"][phase.figure]
    text = f"{value(rows, phase.figure):.3f}"
    if isinstance(entry, Mapping) and "low" in entry:
        text += f" ({entry['low']:.3f} to {entry['high']:.3f})"
    met = ["yes" if test(rows) else "**no**" for test in (phase.their_test, phase.our_test)]
    theirs, ours = (filled(criterion, rows) for criterion in (phase.theirs, phase.ours))
    cells = (DATASETS[dataset], phase.task, f"{phase.figure} {text}", theirs, met[0], ours, met[1])
    return f"| {' | '.join(cells)} | {minutes:.1f} |"


def main() -> None:
    """Run all phases on all datasets, then write the report and the table."""
    parser = argparse.ArgumentParser(description="All four phases on 200 clips and on the default data.")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--tasks", nargs="+", choices=[p.task for p in PHASES], default=[p.task for p in PHASES])
    parser.add_argument("--steps", type=int, help="training steps of a short trial (default: those of the configs)")
    parser.add_argument("--out", type=Path, default=Path("runs/pipeline"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores // len(args.datasets))
    start = time.monotonic()
    with ThreadPoolExecutor(len(args.datasets)) as pool:
        running = [pool.submit(run_dataset, d, args.tasks, args.out, args.steps, threads) for d in args.datasets]
    done = [phase for dataset in running for phase in dataset.result()]
    head = ("data", "phase", "figure", "their criterion", "met", "our criterion", "met", "minutes")
    table = "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(row for row, _ in done)])
    (args.out / "table.md").write_text(table + "\n")
    report, runs = args.out / "report.html", [str(run) for _, run in done]
    trajvq("report", *runs, "--out", str(report), "--title", "The four phases", log=args.out / "log", threads=threads)
    print(table)
    print(f"table: {args.out / 'table.md'}; report: {report}; {(time.monotonic() - start) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
