"""Other tokenizers and codecs, trained on the same clips for the same minutes and measured by ``trajvq test``.

    python experiments/peers/peers.py                               # 10 minutes a training, seed 0
    python experiments/peers/peers.py --minutes 30 --seeds 0 1 2
    python experiments/peers/peers.py --rows trajvq vidtok_fsq --sets default chart
    python experiments/peers/peers.py --only table

Run it in the root of the project. A row is a file in ``rows/``, a second ``--config`` for ``configs/recon.yaml``; H.264
and AV1 are rows as well. ``TRAJVQ_CLIPS`` names the folder with ``moving_digits.npz``. On the eye chart each row is
measured as trained on ``default``. The figures are JSON files in ``cells/``; what has one is not run again, and a
training that broke off continues. The last step is the table and the picture in the README.
"""

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plot import plot
from video_codecs import CODECS, is_available

from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.errors import UserError
from trajvq.io.video import to_float
from trajvq.runs.provenance import versions
from trajvq.tokens import load_tokenizer

HERE = Path(__file__).parent
# Shared scripts; and the networks, which checkpoints know by their path from the root of the project.
sys.path[:0] = [str(HERE.parent / "shelf"), str(HERE.parent), str(HERE.parents[1])]
from experiment import replace_between  # noqa: E402
from shelf import MANIFEST, ClipSet, CommandError, Study, folder_sets, preset_sets, trajvq  # noqa: E402
from table import BEGIN, END, Cell, board_content, read_cells, table  # noqa: E402

CELLS, PICTURE, README = HERE / "cells", HERE / "peers.png", HERE / "README.md"
ROWS = sorted(path.stem for path in (HERE / "rows").glob("*.yaml"))
SETS = ("default", "hard", "moving_digits.npz", "chart")
SPEED = 64  # clips that the speed is measured on
COLUMNS = (
    ("bits", "model", "bits", 0),
    ("ideal bits", "model", "bits_ideal", 0),
    ("skill", "model", "skill", 3),
    ("moving PSNR", "model", "moving_psnr", 1),
    ("visible", "model", "visible", 4),
    ("centroid, px", "model", "centroid_error", 3),
    ("smallest radius, px", "model", "chart_radius", 2),
    ("contrast", "model", "chart_contrast", 3),
    ("shift, px", "model", "chart_shift", 3),
    ("clips/s", "model", "clips_per_second", 1),
)


def clip_sets(datasets: Path) -> dict[str, ClipSet]:
    """Return the sets by name, each without an overlay, so that all rows have the same bits and minutes."""
    sets, clips = preset_sets(datasets), os.environ.get("TRAJVQ_CLIPS")
    sets += folder_sets(Path(clips), datasets) if clips else []
    chart = ClipSet("chart", datasets / "chart")
    return {each.name: dataclasses.replace(each, overlay="") for each in [*sets, chart] if each.name in SETS}


def make(clips: ClipSet, log: Path) -> None:
    """Make a dataset unless it is there."""
    if not (clips.folder / MANIFEST).exists():
        command = ("data", *clips.command) if clips.command else ("chart",)
        trajvq(*command, f"--out={clips.folder}", log=log)


def tokenizer_cell(study: Study, clips: ClipSet, seed: int) -> None:
    """Train a row on a set, and add the speed of its tokenizer to the cell."""
    path = study.run(clips, seed)
    cell = json.loads(path.read_text())
    if "clips_per_second" not in cell["rows"]["model"]:
        checkpoint = study.root / path.stem / "checkpoints/best.ckpt"
        cell["rows"]["model"]["clips_per_second"] = speed(checkpoint, clips.folder)
        path.write_text(json.dumps(cell, indent=1) + "\n")


def speed(checkpoint: Path, dataset: Path) -> float:
    """Return how many clips a second a tokenizer encodes and decodes, in batches of 8; the first is a warm-up."""
    torch.set_flush_denormal(True)  # as the commands do
    network, clips = load_tokenizer(str(checkpoint)), Clips(dataset, "test")
    batches = [to_float(clips.batch(rows.tolist())["video"]) for rows in torch.arange(min(SPEED, len(clips))).split(8)]
    with torch.inference_mode():
        network.decode(network.encode(batches[0]))
        start = time.perf_counter()
        for video in batches:
            network.decode(network.encode(video))
    return sum(len(video) for video in batches) / (time.perf_counter() - start)


def chart_cell(study: Study, chart: ClipSet, trained: Cell) -> None:
    """Measure the tokenizer of a cell of ``default`` on the eye chart."""
    key = "-".join(["default", str(trained["steps"]), str(trained["seed"]), trained["name"]])
    run, log = study.root / key, study.root / "logs/chart.log"
    trajvq("predict", *study.options(chart, study.root, key), log=log)
    board = score(run / "predictions.h5", chart, log)
    about = {name: value for name, value in trained.items() if name not in ("rows", "dataset")}
    speed_row = {"clips_per_second": trained["rows"]["model"]["clips_per_second"]}
    save({**about, "set": "chart"}, board, speed_row)


def codec_cell(root: Path, clips: ClipSet, name: str) -> None:
    """Measure a codec on a set, at the bits of the default tokenizer."""
    log = root / "logs" / f"{clips.name}.log"
    make(clips, log)
    source = Clips(clips.folder, "test")
    video = source.batch(list(range(len(source))))["video"].numpy()
    decoded, lengths, seconds = CODECS[name](video)
    path = root / "codecs" / f"{clips.name}-{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, video=decoded)
    environment = versions()
    about = {"set": clips.name, "name": name, "seed": 0, "steps": 0, "seconds": 0, "collapse": ""}
    about |= {"commit": environment.get("commit", ""), "machine": environment["machine"], "day": time.strftime("%F")}
    figures = {"bits": float(lengths.mean()), "clips_per_second": len(video) / seconds}
    save(about, score(path, clips, log), figures)


def score(path: Path, clips: ClipSet, log: Path) -> Cell:
    """Return the scoreboard of a file of reconstructions; on the eye chart with its thresholds in the row ``model``."""
    out = path.with_suffix(".json")
    trajvq("score", str(path), f"--data={clips.folder}", f"--out={out}", log=log)
    board: Cell = json.loads(out.read_text())
    thresholds = board.get("chart", {}).get("thresholds", {})
    board["rows"]["model"] |= {f"chart_{name}": value["value"] for name, value in thresholds.items()}
    return board | {"dataset": read_manifest(clips.folder).sha256}


def save(about: dict[str, Any], board: Cell, figures: dict[str, float]) -> None:
    """Write a cell."""
    cell = {**about, "dataset": board["dataset"], **board_content(board)}
    cell["rows"]["model"] |= figures
    key = "-".join(str(about[name]) for name in ("set", "steps", "seed", "name"))
    CELLS.mkdir(exist_ok=True)
    (CELLS / f"{key}.json").write_text(json.dumps(cell, indent=1) + "\n")


def stored(set_name: str, name: str, seed: int = 0) -> Cell | None:
    """Return the cell of a row, of any machine; None without one."""
    key = (set_name, name, seed)
    return next((cell for cell in read_cells(CELLS) if (cell["set"], cell["name"], cell["seed"]) == key), None)


def run_row(study: Study, sets: dict[str, ClipSet], name: str, seed: int) -> None:
    """Run what a row lacks on one set."""
    if name != "chart":
        cell = stored(name, study.name, seed)
        if cell is None or "clips_per_second" not in cell["rows"]["model"]:
            tokenizer_cell(study, sets[name], seed)
        return
    trained = stored("default", study.name, seed)
    if trained is None:
        raise UserError("the eye chart needs the tokenizer trained on default")
    if not stored("chart", study.name, seed):
        make(sets["chart"], study.root / "logs/chart.log")
        chart_cell(study, sets["chart"], trained)


def write_readme() -> None:
    """Write the table and the picture of all cells."""
    cells = read_cells(CELLS)
    if not cells:
        replace_between(README, BEGIN, END, ["Not run yet."])
        return
    plot(cells, PICTURE)
    lines = [*table(cells, COLUMNS), "", f"![figures of each row on each set]({PICTURE.name})"]
    replace_between(README, BEGIN, END, lines)


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="budget of a training (default: %(default)g)")
    parser.add_argument("--rows", nargs="+", choices=[*ROWS, *CODECS], default=[*ROWS, *CODECS])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--datasets", type=Path, default=Path("datasets"), help="folder of the datasets")
    parser.add_argument("--root", type=Path, default=Path("runs/peers"), help="folder of the runs")
    parser.add_argument("--only", choices=("table",))
    args = parser.parse_args()
    if not args.only and not Path("experiments/peers/rows").is_dir():
        parser.error("run it in the root of the project")
    return args


def main() -> None:
    """Run what has no cell yet, one training after the other, and write the table and the picture."""
    args, failures = arguments(), []
    sets = {} if args.only else clip_sets(args.datasets)
    jobs = [(row, name) for row in args.rows for name in args.sets if name in sets]
    for row, name in jobs:
        try:
            if row in ROWS:
                overlay = f"experiments/peers/rows/{row}.yaml"
                folders = {"cells": CELLS, "pictures": args.root / "pictures", "validations": 1}
                study = Study(args.root, f"{row}-{args.minutes:g}min", (overlay,), minutes=args.minutes, **folders)
                args.root.mkdir(parents=True, exist_ok=True)
                for seed in args.seeds:
                    run_row(study, sets, name, seed)
            elif not is_available(row):
                raise UserError("it needs PyAV with its encoder: pip install 'trajvq[import]'")
            elif not stored(name, row):
                codec_cell(args.root, sets[name], row)
        except (CommandError, UserError) as error:
            failures.append(f"{row} on {name}: {error}")
            print(f"failed: {failures[-1]}", flush=True)
        write_readme()
    write_readme()
    left_out = [] if args.only else [f"{name} is not in TRAJVQ_CLIPS" for name in args.sets if name not in sets]
    if failures or left_out:
        raise SystemExit("\n".join(["without a cell:", *failures, *left_out]))


if __name__ == "__main__":
    main()
