"""The headline figures: all four tasks on ``bench-v1``, by the shipped configs, with three seeds.

    python experiments/headline/headline.py                              # about 40 minutes a seed on 2 cores
    python experiments/headline/headline.py --again forecast sample      # after a change to these tasks
    python experiments/headline/headline.py --only table

Each seed trains a tokenizer and the three tasks on it. A test leaves a JSON file in ``cells/`` with its rows, commit
and machine; what has one is not run again, and a training that broke off continues. The tables are written into the
README beside this file and, one line a task, into that of the project.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from tables import BEGIN, END, figures_table, headline_table, read_cells

from trajvq.runs.provenance import PROVENANCE

sys.path.insert(0, str(Path(__file__).parents[1]))
from experiment import replace_between, trajvq

HERE = Path(__file__).parent
CELLS = HERE / "cells"
READMES = {"figures": HERE / "README.md", "headline": HERE.parents[1] / "README.md"}
PRESET = "bench-v1"  # no choice was made on it
TASKS = ("recon", "classify", "sample", "forecast")
Cell = dict[str, Any]


def run_task(task: str, seed: int, root: Path, options: list[str]) -> Cell:
    """Train and test a task, unless that is done, and return its cell.

    Args:
        task: One of `TASKS`.
        seed: Of weights, order and augmentation.
        root: Folder of the runs.
        options: Further options of ``fit`` and ``test``, for a short trial.
    """
    run = root / task / f"{PRESET}-{seed}"
    log = root / f"{task}-{seed}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    common = ["--config", task, f"--run_root={run.parent}", f"--run={run.name}", f"--data.path=datasets/{PRESET}"]
    common += [f"--seed_everything={seed}", f"--data.seed={seed}", *options]
    if task != "recon":
        common.append(f"--model.tokenizer_ckpt={root}/recon/{PRESET}-{seed}/checkpoints/best.ckpt")
    if not (run / "complete.json").exists():
        trajvq("fit", *common, log=log)
    trajvq("test", *common, log=log)
    return cell_of(run, task, seed)


def cell_of(run: Path, task: str, seed: int) -> Cell:
    """Return what is kept of a tested run: all rows of its scoreboard, and where they come from."""
    board = json.loads((run / "scoreboards/test.json").read_text())
    command = json.loads((run / PROVENANCE).read_text())["commands"][-1]
    return {
        "task": task,
        "seed": seed,
        "clips": board["clips"],
        "commit": command["versions"].get("commit", ""),
        "machine": command["versions"]["machine"],
        "day": command["started"][:10],
        "dataset": command["dataset"]["sha256"],
        "remarks": board.get("remarks", []),
        "rows": board["rows"],
    }


def main() -> None:
    """Run what has no cell, then write the tables."""
    parser = argparse.ArgumentParser(description="All four tasks on bench-v1, three seeds.")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--again", nargs="+", choices=TASKS, default=[], help="tasks whose runs and cells are dropped")
    parser.add_argument("--only", choices=("table",), help="write the tables of the cells that are there")
    parser.add_argument("--out", type=Path, default=Path("runs/headline"))
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="options of a short trial")
    args = parser.parse_args()
    if not args.only:
        os.environ.setdefault("WANDB_MODE", "offline")
        args.out.mkdir(parents=True, exist_ok=True)
        CELLS.mkdir(exist_ok=True)
        trajvq("data", "generate", "--out", f"datasets/{PRESET}", "--preset", PRESET, log=args.out / "data.log")
        for seed in args.seeds:
            for task in TASKS:
                path = CELLS / f"{task}-{seed}.json"
                if task in args.again:
                    path.unlink(missing_ok=True)
                    shutil.rmtree(args.out / task / f"{PRESET}-{seed}", ignore_errors=True)
                if task in args.tasks and not path.exists():
                    cell = run_task(task, seed, args.out, [f"--{option}" for option in args.set])
                    path.write_text(json.dumps(cell, indent=1) + "\n")
    cells = read_cells(CELLS)
    replace_between(READMES["figures"], BEGIN, END, figures_table(cells))
    replace_between(READMES["headline"], BEGIN, END, headline_table(cells))


if __name__ == "__main__":
    main()
