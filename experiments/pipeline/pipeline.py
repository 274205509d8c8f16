"""Run all four phases of the predecessor's plan: reconstruct, classify, sample and forecast.

    python experiments/pipeline/pipeline.py                        # 200 clips and the default data
    python experiments/pipeline/pipeline.py --clips clips.npz      # your own
    python experiments/pipeline/pipeline.py --steps 20             # a short trial

Everything is written to ``runs/pipeline``: one run folder per phase and dataset, one log per dataset, ``report.html``
and ``table.md``. After an interruption, the same command continues. The datasets run in parallel and share the cores,
because networks of this size gain little from a second core.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trajvq.data.storage.manifest import read_manifest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "shelf"))
from shelf import MANIFEST, ClipSet, CommandError, clip_set, trajvq  # noqa: E402

DATASETS = {"seed200": "200 clips", "default": "4,800 clips"}
LONGER = 15  # in a short trial the tokenizer trains longer by this factor: tasks refuse one that learned nothing
Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Phase:
    """A figure of a task, with the predecessor's criterion and ours.

    Attributes:
        task: Name of the task and of its config.
        figure: Figure of the scoreboard that the table shows. Of the phases of a task, the first whose figure is there
            counts: what can be measured depends on the clips.
        theirs: The predecessor's criterion in words; ``{row figure}`` stands for a figure of a row.
        their_test: Whether the rows of a scoreboard meet it; None where it cannot be asked.
        ours: Our criterion in words, with figures like theirs.
        our_test: Whether the rows of a scoreboard meet it.
    """

    task: str
    figure: str
    theirs: str
    their_test: Callable[[Rows], bool] | None
    ours: str
    our_test: Callable[[Rows], bool]


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
FRAMES = ("blank", "copy_last", "mean_frame", "frame_shift")
MATCH = "samples match the requested class"
PREDICTION = "a prediction beside the ground truth"
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
        "recon",
        "skill",
        "MSE < 0.1 (a blank clip has {blank mse})",
        lambda rows: value(rows, "mse") < 0.1,
        "above 0: better than every row that needs no model",
        lambda rows: value(rows, "skill") > 0,
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
        "class_match_at",
        MATCH,
        lambda rows: value(rows, "class_match_at") > 0.5,
        "90 % of what the judge at 0.2 px gives reconstructions of real clips, {reconstructed class_match_at}, without "
        "filtering; by the tokenizer's own error {model class_match} of {reconstructed class_match}",
        lambda rows: value(rows, "class_match_at") > 0.9 * value(rows, "class_match_at", "reconstructed"),
    ),
    Phase(
        "sample",
        "gan_test",
        MATCH,
        lambda rows: value(rows, "gan_test") > 0.5,
        "90 % as a classifier of real clips sees it, without filtering; ceiling: reconstructions of real clips "
        "{reconstructed gan_test}",
        lambda rows: value(rows, "gan_test") > 0.9,
    ),
    Phase(
        "sample",
        "coverage_of_real",
        MATCH,
        None,
        "80 % of the coverage of other real clips; there are no classes to match",
        lambda rows: value(rows, "coverage_of_real") > 0.8,
    ),
    Phase(
        "forecast",
        "ade",
        PREDICTION,
        lambda rows: True,
        f"upper end of the interval below {named(SIMPLE)}; ceilings: families fitted to tracked pixels "
        "{best_family_tracked ade}, the true one {true_family_tracked ade}",
        lambda rows: value(rows, "ade", end="high") < best(rows, "ade", SIMPLE, min),
    ),
    Phase(
        "forecast",
        "mse",
        PREDICTION,
        lambda rows: True,
        f"upper end of the interval below {named(FRAMES)}; ceiling: the tokenizer {{tokenizer mse}}",
        lambda rows: value(rows, "mse", end="high") < best(rows, "mse", FRAMES, min),
    ),
)


@dataclass(frozen=True)
class Done:
    """A task of a dataset.

    Attributes:
        line: Its line of the table.
        run: Its run folder; None where there are no figures.
        failed: Whether a command of it failed.
    """

    line: str
    run: Path | None = None
    failed: bool = False


TASKS = tuple(dict.fromkeys(phase.task for phase in PHASES))
TRIAL = {"sample": ("--model.samples=25",), "forecast": ("--model.samples=2",)}  # of a short trial


def run_task(task: str, clips: ClipSet, root: Path, steps: int | None) -> Path:
    """Train and test a task on a dataset unless that is done; return the run folder."""
    folder = root / task
    run = folder / f"clips-{clips.name}"  # `default` alone is where the weights of the package are tested
    common = ["--config", task, f"--run_root={folder}", f"--run={run.name}", f"--data.path={clips.folder}"]
    if task != "recon":
        common.append(f"--model.tokenizer_ckpt={root}/recon/{run.name}/checkpoints/best.ckpt")
    elif steps:
        steps *= LONGER
    trial = TRIAL.get(task, ())
    short = [f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={steps}", *trial] if steps else []
    log = root / f"{clips.name}.log"
    if not (run / "complete.json").exists():
        trajvq("fit", *common, *short, log=log)
    if not (run / "scoreboards/test.json").exists():
        trajvq("test", *common, *short, log=log)
    return run


def run_dataset(clips: ClipSet, tasks: Sequence[str], root: Path, steps: int | None) -> list[Done]:
    """Make a dataset and run the tasks. A task that fails does not keep the others from running, but for `recon`."""
    log = root / f"{clips.name}.log"
    try:
        if not (clips.folder / MANIFEST).exists():
            trajvq("data", *clips.command, f"--out={clips.folder}", log=log)
    except CommandError as error:
        return [Done(not_run(clips, "data", f"{error}; see {log}"), failed=True)]
    has_classes = len(read_manifest(clips.folder).classes) > 1
    kept = root / f"{clips.name}-minutes.json"
    minutes: dict[str, float] = json.loads(kept.read_text()) if kept.exists() else {}
    done: list[Done] = []
    for task in tasks:
        if task == "classify" and not has_classes:
            done.append(Done(not_run(clips, task, "the clips have no classes")))
            continue
        start = time.monotonic()
        try:
            run = run_task(task, clips, root, steps)
        except CommandError as error:
            done.append(Done(not_run(clips, task, f"{error}; see {log}"), failed=True))
            if task == "recon":
                break
            continue
        finally:
            minutes[task] = minutes.get(task, 0.0) + (time.monotonic() - start) / 60
            kept.write_text(json.dumps(minutes))
        rows = json.loads((run / "scoreboards/test.json").read_text())["rows"]
        done.append(Done(line(measured(task, rows), title(clips), rows, minutes[task]), run))
        print(done[-1].line, flush=True)
    return done


def not_run(clips: ClipSet, task: str, reason: str) -> str:
    """Return the line of the table of a task that left no figures."""
    return f"| {title(clips)} | {task} | not run: {reason} | | | | | |"


def title(clips: ClipSet) -> str:
    """Return the name of a dataset in the table."""
    return DATASETS.get(clips.name, f"`{clips.name}`")


def measured(task: str, rows: Rows) -> Phase:
    """Return the phase of a task that a scoreboard has figures of."""
    phases = [phase for phase in PHASES if phase.task == task]
    return next((phase for phase in phases if phase.figure in rows["model"]), phases[-1])


def line(phase: Phase, name: str, rows: Rows, minutes: float) -> str:
    """Return a line of the table."""
    entry = rows["model"][phase.figure]
    text = f"{value(rows, phase.figure):.3f}"
    if isinstance(entry, Mapping) and "low" in entry:
        text += f" ({entry['low']:.3f} to {entry['high']:.3f})"
    met = ["–" if test is None else "yes" if test(rows) else "**no**" for test in (phase.their_test, phase.our_test)]
    theirs, ours = (filled(criterion, rows) for criterion in (phase.theirs, phase.ours))
    cells = (name, phase.task, f"{phase.figure} {text}", theirs, met[0], ours, met[1])
    return f"| {' | '.join(cells)} | {minutes:.1f} |"


def chosen_sets(datasets: Sequence[str], clips: Sequence[Path]) -> list[ClipSet]:
    """Return the presets and the user's clips.

    Raises:
        SystemExit: If there are no clips at a path, or two sets of one name.
    """
    folder = Path("datasets")
    sets = [ClipSet(name, folder / name, ("generate", f"--preset={name}")) for name in datasets]
    for path in clips:
        each = clip_set(path, folder / path.name) if path.exists() else None
        if each is None:
            raise SystemExit(f"--clips {path}: no clips there; give an array, a table, a video, or a folder of videos")
        sets.append(each)
    names = [each.name for each in sets]
    if len(set(names)) < len(names):
        raise SystemExit(f"two datasets have the name {max(names, key=names.count)}; rename one")
    return sets


def main() -> None:
    """Run all tasks on all datasets, then write the report and the table."""
    parser = argparse.ArgumentParser(description="All four phases on 200 clips, on the default data, on your clips.")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, help="presets (default: all, or none with --clips)")
    parser.add_argument("--clips", nargs="+", type=Path, default=[], metavar="PATH", help="files or folders of clips")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--steps", type=int, help="training steps of a short trial (default: those of the configs)")
    parser.add_argument("--out", type=Path, default=Path("runs/pipeline"))
    args = parser.parse_args()
    sets = chosen_sets(([] if args.clips else list(DATASETS)) if args.datasets is None else args.datasets, args.clips)
    args.out.mkdir(parents=True, exist_ok=True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ["OMP_NUM_THREADS"] = str(max(1, cores // len(sets)))
    start = time.monotonic()
    with ThreadPoolExecutor(len(sets)) as pool:
        running = [pool.submit(run_dataset, each, args.tasks, args.out, args.steps) for each in sets]
    done = [task for dataset in running for task in dataset.result()]
    head = ("data", "phase", "figure", "their criterion", "met", "our criterion", "met", "minutes")
    table = "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(task.line for task in done)])
    (args.out / "table.md").write_text(table + "\n")
    report, runs = args.out / "report.html", [str(task.run) for task in done if task.run]
    if runs:
        trajvq("report", *runs, "--out", str(report), "--title", "The four phases", log=args.out / "log")
    print(table)
    print(f"table: {args.out / 'table.md'}; report: {report}; {(time.monotonic() - start) / 60:.0f} minutes")
    if any(task.failed for task in done):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
