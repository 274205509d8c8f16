"""Train and test the default tokenizer on every preset, and on every set of clips in a folder of yours.

    python experiments/shelf/shelf.py                                   # ten minutes each, seed 0, then the table
    python experiments/shelf/shelf.py --steps 1000 --seeds 0 1 2
    python experiments/shelf/shelf.py --sets default seed200.npz --steps 4000 --name flat --set model.augment=null
    python experiments/shelf/shelf.py --only table

``TRAJVQ_CLIPS`` names the folder: its arrays, video files and folders of videos are imported by ``trajvq data
import-videos``, its tables by ``import-tracks``; folders with a ``manifest.json`` are used as they are. Without it only
the presets run. One training runs at a time. The figures of each are a JSON file in ``cells/``; a training with a cell
is not repeated, and one that broke off continues.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pictures import save_picture
from table import cell_content, read_cells, write_table

from trajvq.data.synthetic.presets import PRESETS
from trajvq.errors import UserError

HERE = Path(__file__).parent
CELLS, PICTURES, README = HERE / "cells", HERE / "pictures", HERE / "README.md"
OVERLAYS = HERE.parents[1] / "configs" / "data"  # NAME.yaml is a second --config for the preset NAME
VIDEOS = {".npz", ".npy", ".h5", ".hdf5", ".mp4", ".avi", ".mov", ".mkv", ".webm", ".gif", ".tif", ".tiff"}
TABLES = {".csv", ".parquet"}
MANIFEST = "manifest.json"
OVERLAY_TIME = 2  # an overlay may raise bits and steps: it gets this many times the minutes
VALIDATIONS = 4  # of a training
PROBE = 60  # steps of the runs that measure the speed
COLLAPSE = 3  # exit code


@dataclass(frozen=True)
class ClipSet:
    """A set of clips.

    Attributes:
        name: Its name in the table: of a preset, or of a file or folder.
        folder: The dataset folder.
        command: The ``trajvq data`` command that makes it; empty for one that is there.
        overlay: A second ``--config``, or empty.
    """

    name: str
    folder: Path
    command: tuple[str, ...] = ()
    overlay: str = ""


class CommandError(Exception):
    """A command failed.

    Args:
        line: The last line of its output.
        code: Its exit code.
    """

    def __init__(self, line: str, code: int) -> None:
        super().__init__(f"{line} (exit code {code})")
        self.line, self.code = line, code


def trajvq(*words: str, log: Path) -> None:
    """Run a command and append its output to the log.

    Raises:
        CommandError: If it fails.
        SystemExit: If a signal ended it.
    """
    print("$ trajvq", *words, flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as out:
        command = [sys.executable, "-m", "trajvq", *words]
        code = subprocess.run(command, check=False, stdout=out, stderr=subprocess.STDOUT).returncode
    if code < 0 or code > 128:
        raise SystemExit(f"trajvq {words[0]} was stopped; the same command continues")
    if code:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        raise CommandError(lines[-1] if lines else "no output", code)


def preset_sets(datasets: Path) -> list[ClipSet]:
    """Return a set for each preset."""
    sets = []
    for name in PRESETS:
        command = ("generate", f"--preset={name}")
        overlay = f"data/{name}" if (OVERLAYS / f"{name}.yaml").exists() else ""
        sets.append(ClipSet(name, datasets / name, command, overlay))
    return sets


def folder_sets(clips: Path, datasets: Path) -> list[ClipSet]:
    """Return a set for each file and folder of clips.

    Raises:
        SystemExit: If there is no such folder.
    """
    if not clips.is_dir():
        raise SystemExit(f"TRAJVQ_CLIPS={clips} is no folder")
    paths = sorted(path for path in clips.iterdir() if not path.name.startswith("."))
    sets = [clip_set(path, datasets / "shelf" / path.name) for path in paths]
    return [each for each in sets if each]


def clip_set(path: Path, imported: Path) -> ClipSet | None:
    """Return the set of a file or folder of clips, to be imported into a folder; None for anything else."""
    if path.is_dir() and (path / MANIFEST).exists():
        return ClipSet(path.name, path)
    if path.is_dir() or path.suffix.lower() in VIDEOS:
        return ClipSet(path.name, imported, ("import-videos", str(path)))
    if path.suffix.lower() in TABLES:
        return ClipSet(path.name, imported, ("import-tracks", str(path)))
    return None


@dataclass(frozen=True)
class Study:
    """The trainings of one call.

    Attributes:
        root: Folder of the runs.
        name: Name of an ablation; empty for the default config.
        configs: More overlays.
        settings: Values of the config, ``KEY=VALUE``.
        minutes: Budget of a training, with its start and its validations.
        steps: Steps of a training instead; None for as many as fit the budget.
        validations: Number of them in a training.
        cells: Folder of the cells.
        pictures: Folder of the pictures.
    """

    root: Path
    name: str = ""
    configs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    minutes: float = 10.0
    steps: int | None = None
    validations: int = VALIDATIONS
    cells: Path = CELLS
    pictures: Path = PICTURES

    def run(self, clips: ClipSet, seed: int) -> Path:
        """Train and test on a set unless that is done; return the cell."""
        log = self.root / "logs" / f"{clips.name}.log"
        if clips.command and not (clips.folder / MANIFEST).exists():
            trajvq("data", *clips.command, f"--out={clips.folder}", log=log)
        steps = self.steps or self.fitting_steps(clips, log)
        key = "-".join([clips.name, str(steps), str(seed), *([self.name] if self.name else [])])
        cell, run = self.cells / f"{key}.json", self.root / key
        if cell.exists():
            self._check(cell)
            return cell
        options, training = self.options(clips, self.root, key), self._training(steps, seed, self.validations)
        seconds, collapse = self._fit(run, [*options, *training], log)
        if not (run / "scoreboards/test.json").exists():
            trajvq("test", *options, log=log)
        about = {"set": clips.name, "name": self.name, "seed": seed, "steps": steps, "seconds": round(seconds)}
        about |= {"collapse": collapse, "configs": list(self.configs), "settings": list(self.settings)}
        self.cells.mkdir(exist_ok=True)
        cell.write_text(json.dumps({**about, **cell_content(run)}, indent=1) + "\n")
        save_picture(run, self.pictures / f"{key}.png")
        return cell

    def _fit(self, run: Path, options: list[str], log: Path) -> tuple[float, str]:
        """Train unless that is done; return the seconds in all and, where it collapsed, the message."""
        stored = run / "shelf.json"
        before = json.loads(stored.read_text()) if stored.exists() else {"seconds": 0.0, "collapse": ""}
        if (run / "complete.json").exists() or before["collapse"]:
            return before["seconds"], before["collapse"]
        start, collapse = time.monotonic(), ""
        try:
            trajvq("fit", *options, log=log)
        except CommandError as error:
            if error.code != COLLAPSE:
                raise
            collapse = error.line
        finally:
            seconds = before["seconds"] + time.monotonic() - start
            if run.exists():
                stored.write_text(json.dumps({"seconds": seconds, "collapse": collapse}))
        return seconds, collapse

    def options(self, clips: ClipSet, root: Path, run: str) -> list[str]:
        """Return the options that training and test have in common."""
        configs = [f"--config={config}" for config in ("recon", clips.overlay, *self.configs) if config]
        settings = [f"--{setting}" for setting in self.settings]
        return [*configs, f"--data.path={clips.folder}", *settings, f"--run_root={root}", f"--run={run}"]

    def _training(self, steps: int, seed: int, validations: int) -> list[str]:
        """Return the options of the training alone."""
        interval = max(1, steps // validations)
        options = [f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={interval}"]
        return [*options, f"--seed_everything={seed}", f"--data.seed={seed}"]

    def fitting_steps(self, clips: ClipSet, log: Path) -> int:
        """Return the steps that fit the budget, by the speed on this machine, which is measured once."""
        stored = self.root / "rates.json"
        rates: dict[str, Any] = json.loads(stored.read_text()) if stored.exists() else {}
        key = " ".join([clips.name, self.name]).strip()
        if key not in rates:
            start, plain = self._probe(clips, log, "--trainer.limit_val_batches=0")
            validation = max(0.0, self._probe(clips, log)[1] - plain)
            rates[key] = {"start": start, "step": plain / PROBE, "validation": validation}
            stored.write_text(json.dumps(rates, indent=1))
        budget = 60 * self.minutes * (OVERLAY_TIME if clips.overlay else 1)
        budget -= rates[key]["start"] + self.validations * rates[key]["validation"]
        steps = int(budget / rates[key]["step"])
        unit = 100 if steps >= 100 * self.validations else self.validations
        return max(unit, steps // unit * unit)

    def _probe(self, clips: ClipSet, log: Path, *options: str) -> tuple[float, float]:
        """Return the seconds of a short training before its first step, and from there to the end."""
        root = self.root / "debug"  # such runs never become `latest`
        shutil.rmtree(root / "probe", ignore_errors=True)
        training = self._training(PROBE, 0, validations=1)
        quiet = ["--collapse.on_collapse=warn", "--checkpoint.every_seconds=1000", *options]
        start = time.time()
        trajvq("fit", *self.options(clips, root, "probe"), *training, *quiet, log=log)
        first, end = ((root / "probe" / name).stat().st_mtime for name in ("provenance.json", "complete.json"))
        shutil.rmtree(root / "probe")
        return first - start, end - first

    def _check(self, cell: Path) -> None:
        """Refuse the cell of another ablation of the same name.

        Raises:
            SystemExit: If its settings differ.
        """
        content = json.loads(cell.read_text())
        if (content["configs"], content["settings"]) != (list(self.configs), list(self.settings)):
            raise SystemExit(f"{cell} has other settings; choose another --name, or remove the cell")


def main() -> None:
    """Run what has no cell yet, one training after the other, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, default=10.0, help="budget of a training (default: %(default)s)")
    budget.add_argument("--steps", type=int, help="steps of a training, whatever time they take")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="presets, files and folders to run (default: all)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--name", default="", help="name of an ablation, which --set and --config need")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a value of the config")
    parser.add_argument("--config", action="append", default=[], help="an overlay, such as rates/640")
    parser.add_argument("--datasets", type=Path, default=Path("datasets"), help="folder of the datasets")
    parser.add_argument("--root", type=Path, default=Path("runs/shelf"), help="folder of the runs")
    parser.add_argument("--only", choices=("table",))
    args = parser.parse_args()
    if (args.set or args.config) and not args.name:
        parser.error("--set and --config make an ablation: give it a --name")
    sets, clips = preset_sets(args.datasets), os.environ.get("TRAJVQ_CLIPS")
    sets += folder_sets(Path(clips), args.datasets) if clips else []
    unknown = set(args.sets or ()) - {each.name for each in sets}
    if unknown:
        parser.error(f"there is no set {min(unknown)}; there are: {', '.join(each.name for each in sets)}")
    if not clips:
        print("TRAJVQ_CLIPS names no folder: the presets alone")
    folders = {"cells": CELLS, "pictures": PICTURES}
    study = Study(args.root, args.name, tuple(args.config), tuple(args.set), args.minutes, args.steps, **folders)
    args.root.mkdir(parents=True, exist_ok=True)
    failures = []
    for each in sets if args.only is None else ():
        for seed in args.seeds if args.sets is None or each.name in args.sets else ():
            try:
                print(f"cell: {study.run(each, seed)}", flush=True)
            except (CommandError, UserError) as error:
                failures.append(f"{each.name}, seed {seed}: {error}")
                print(f"failed: {failures[-1]}", flush=True)
            write_table(read_cells(CELLS), README, PICTURES)
    write_table(read_cells(CELLS), README, PICTURES)
    if failures:
        raise SystemExit("\n".join(["without a cell:", *failures]))


if __name__ == "__main__":
    main()
