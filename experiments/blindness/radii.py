"""Does plain MSE lose small objects? Train on whole clips of discs of one radius, with plain and with balanced loss.

    python experiments/blindness/radii.py                         # 4,000 steps each, seed 0, then the table
    python experiments/blindness/radii.py --steps 1000 --radii 0.75 1 --seeds 0 1 2
    python experiments/blindness/radii.py --only table

A training uses the shipped config but for the loss, whole clips instead of windows, and the radius. It leaves a JSON
file in ``cells/``; what has one is not trained again, and a training that broke off continues. The table is written
into the README beside this file.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import PRESETS, Preset
from trajvq.data.synthetic.ranges import Band
from trajvq.metrics.figures import heading_of, lookup
from trajvq.metrics.scoreboard import value_of
from trajvq.runs.provenance import PROVENANCE

sys.path.insert(0, str(Path(__file__).parents[1]))
from experiment import replace_between, trajvq

HERE = Path(__file__).parent
CELLS, README = HERE / "cells", HERE / "README.md"
BEGIN, END = "<!-- radii -->", "<!-- end of radii -->"
SIZE = 64  # of a picture in pixels
RADII = (0.75, 1.0, 1.5, 2.0, 3.0)  # px, on average over a clip
TOLERANCE = 0.02  # of the radius
LOSSES = ("PlainLoss", "BalancedLoss")
WHOLE_CLIPS = ("--model.augment=null", "--data.batch_size=3")  # about as many pixels a step as the shipped windows
FIGURES = ("psnr", "skill", "visible", "centroid_error", "object_psnr", "codes_used")
Cell = dict[str, Any]


def preset_of(radius: float) -> str:
    """Register the default preset with discs of one radius, in pixels, and return its name."""
    name, size = f"radius-{radius:g}", radius / SIZE
    low, high = (1 - TOLERANCE) * size, (1 + TOLERANCE) * size
    beyond = ((0.8 * size, 0.9 * size), (1.1 * size, 1.2 * size))
    PRESETS[name] = Preset(ood=0, band=Band(size=(low, high), size_large=size, size_beyond=beyond))
    return name


def train(radius: float, loss: str, seed: int, steps: int, root: Path) -> Cell:
    """Train and test a tokenizer, unless that is done, and return its cell."""
    name = f"{loss}-{radius:g}-{steps}-{seed}"
    run, data = root / name, root / "data" / f"radius-{radius:g}"
    generate(data, preset=preset_of(radius))
    common = ["--config", "recon", f"--run_root={root}", f"--run={name}", f"--data.path={data}", *WHOLE_CLIPS]
    common += [f"--model.loss={loss}", f"--seed_everything={seed}", f"--data.seed={seed}"]
    common += [f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={max(steps // 4, 1)}"]
    log = root / f"{name}.log"
    if not (run / "complete.json").exists():
        trajvq("fit", *common, "--collapse.on_collapse=warn", log=log)
    trajvq("test", *common, log=log)
    rows = json.loads((run / "scoreboards/test.json").read_text())["rows"]
    command = json.loads((run / PROVENANCE).read_text())["commands"][-1]
    kept = {
        row: {name: value_of(rows[row][name]) for name in FIGURES if name in rows[row]} for row in ("blank", "model")
    }
    return {
        **{"radius": radius, "loss": loss, "seed": seed, "steps": steps, "rows": kept, "day": command["started"][:10]},
        **{name: command["versions"].get(name, "") for name in ("commit", "machine")},
    }


def table(cells: list[Cell]) -> list[str]:
    """Return the table: for every radius a blank clip, and the model of each loss, number of steps and seed."""
    head = ["radius, px", "row", "steps", "seed", *(heading_of(name) for name in FIGURES)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for radius in sorted({cell["radius"] for cell in cells}):
        own = [cell for cell in cells if cell["radius"] == radius]
        entries = [("a blank clip", "", "", own[0]["rows"]["blank"])]
        entries += [(c["loss"], f"{c['steps']:,}", str(c["seed"]), c["rows"]["model"]) for c in own]
        for name, steps, seed, row in entries:
            texts = [lookup(figure).text(row[figure]) if figure in row else "" for figure in FIGURES]
            lines.append(f"| {radius:g} | {name} | {steps} | {seed} | {' | '.join(texts)} |")
    measured = dict.fromkeys(f"{cell['commit']} on {cell['machine']} ({cell['day']})" for cell in cells)
    return [*lines, "", f"Measured at {', '.join(measured)}."]


def main() -> None:
    """Train what has no cell, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--radii", type=float, nargs="+", default=RADII, help="px, between 0.5 and 8")
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=LOSSES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", choices=("table",), help="write the table of the cells that are there")
    parser.add_argument("--out", type=Path, default=Path("runs/blindness"))
    args = parser.parse_args()
    os.environ.setdefault("WANDB_MODE", "offline")
    CELLS.mkdir(exist_ok=True)
    args.out.mkdir(parents=True, exist_ok=True)
    for seed in [] if args.only else args.seeds:
        for radius in args.radii:
            for loss in args.losses:
                path = CELLS / f"{loss}-{radius:g}-{args.steps}-{seed}.json"
                if not path.exists():
                    path.write_text(json.dumps(train(radius, loss, seed, args.steps, args.out), indent=1) + "\n")
    cells = [json.loads(path.read_text()) for path in CELLS.glob("*.json")]
    cells.sort(key=lambda cell: (cell["radius"], LOSSES.index(cell["loss"]), cell["steps"], cell["seed"]))
    replace_between(README, BEGIN, END, table(cells) if cells else [])


if __name__ == "__main__":
    main()
