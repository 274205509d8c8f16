"""Measure trajvq on one GPU with one command, in at most six minutes, without a network and without W&B.

    python experiments/gpu/measure.py [--out gpu.json] [--minutes 6] [--only speed,profile] [--toy]

Speeds are measured first, with nothing beside them; the other parts then run several at a time. A part that
fails is noted with its error, one for which no time is left is left out, and the others go on. `--toy` measures a small
network on the CPU for a moment, to try the script.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

import torch  # noqa: E402
from agreement import compare_files, sample_agreement, tokenizer_agreement  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from speed import COMPILED, MODES, Scale, measure_profile, measure_speed  # noqa: E402
from trainings import (  # noqa: E402
    THREADS,
    Trainings,
    against_cpu,
    by_strategy,
    killed_and_continued,
    predictions,
    train_task,
)

from trajvq.data.synthetic.generate import generate  # noqa: E402

TESTS = ["tests/tasks/test_encoding.py", "tests/test_adaptation.py", "tests/test_devices.py", "tests/test_cuda.py"]
SMALL = ["--model.tokenizer.width=16", "--data.batch_size=4"]
SMALL_SAMPLE = ["--model.network.tokens.width=16", "--model.network.tokens.depth=1", "--model.network.tokens.heads=2"]
SMALL_FORECAST = ["--model.network.tokens.width=16", "--model.samples=2", "--model.paths=8"]
COUNTS = {"train": 512, "val": 64, "test": 32}
TOY_COUNTS = {"train": 32, "val": 16, "test": 4}


class Measurement:
    """All parts of the measurement.

    Args:
        folder: For the dataset and the runs.
        toy: Measure a small network on the CPU for a moment.
    """

    def __init__(self, folder: Path, toy: bool) -> None:
        self.toy, self.device = toy, torch.device("cpu" if toy else "cuda")
        self.scale = Scale(0.01, 2, 2, 128, 16) if toy else Scale()
        self.data = folder / "data"
        counts = TOY_COUNTS if toy else COUNTS
        generate(self.data, counts, workers=1)
        self.trainings = Trainings(folder, self.data, "cpu" if toy else "gpu", SMALL if toy else [])

    def speed(self) -> Any:
        """Clips per second, memory and share of the peak."""
        return measure_speed(self.data, self.device, self.scale, MODES[1:2] if self.toy else MODES)

    def compiled(self) -> Any:
        """The same of a compiled network, which takes long to compile."""
        return measure_speed(self.data, self.device, self.scale, [] if self.toy else COMPILED)

    def profile(self) -> Any:
        """The kernels of a training step, and the share of its time in which the device waits for the host."""
        return measure_profile(self.data, self.device, replace(self.scale, batch=2 if self.toy else 8))

    def tokens(self) -> Any:
        """The default weights on the device and on the CPU."""
        return tokenizer_agreement(self.data, self.device)

    def training(self) -> Any:
        """A minute of training on the CPU, and as many steps on the device."""
        return against_cpu(self.trainings, *((1.0, 2) if self.toy else (60.0, 20)))

    def killed(self) -> Any:
        """A training that is killed and continued."""
        return killed_and_continued(self.trainings, 4 if self.toy else 40)

    def strategies(self) -> Any:
        """DDP and FSDP2 with one process."""
        return by_strategy(self.trainings, 2 if self.toy else 40)

    def samples(self) -> Any:
        """Samples of the same seed on the device and on the CPU."""
        checkpoint = train_task(self.trainings, "sample", 2 if self.toy else 100, SMALL_SAMPLE if self.toy else [])
        return sample_agreement(checkpoint, self.device, 1 if self.toy else 8)

    def forecasts(self) -> Any:
        """Forecasts of the same seed on the device and on the CPU."""
        small = SMALL_FORECAST if self.toy else []
        checkpoint = train_task(self.trainings, "forecast", 2 if self.toy else 100, small)
        sides = [predictions(self.trainings, checkpoint, side, small) for side in ("cpu", self.trainings.accelerator)]
        return compare_files(self.trainings.folder / "predictions-cpu.h5", sides[1])

    def tests(self) -> Any:
        """The tests that name a device."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(TESTS[:1] if self.toy else TESTS)]
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if " in " in line and ("passed" in line or "failed" in line)]
        failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
        return {"exit_code": done.returncode, "summary": lines[-1] if lines else done.stderr[-200:], "failed": failed}


IDLE = ("speed", "profile", "compiled")  # measured with nothing beside them
PARTS = (*IDLE, "training", "tests", "killed", "strategies", "samples", "forecasts", "tokens")  # the longest first


def run_parts(names: Sequence[str], measurement: Any, minutes: float, out: Path | None = None) -> dict[str, Any]:
    """Return the figures of each part, an ``error``, or the reason why it is ``left_out``.

    Args:
        names: Of the parts.
        measurement: Has a method for each part.
        minutes: No part starts later than this.
        out: A JSON file, written anew after each part, so that a measurement that is cut off leaves what it has.
    """
    results: dict[str, Any] = {}
    end = time.monotonic() + 60 * minutes

    def run(name: str) -> None:
        if time.monotonic() > end:
            results[name] = {"left_out": f"no time left of {minutes:g} minutes"}
            return
        start, part = time.monotonic(), getattr(measurement, name)
        print(f"{name}: {part.__doc__.splitlines()[0]}", flush=True)
        try:
            figures = part()
        except Exception as error:  # a part that fails must not lose the others
            figures = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
        results[name] = figures | {"part_seconds": round(time.monotonic() - start, 1)}
        if out is not None:
            out.write_text(json.dumps(results, indent=1))

    for name in (name for name in names if name in IDLE):
        run(name)
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // THREADS)) as pool:
        list(pool.map(run, (name for name in names if name not in IDLE)))
    return {name: results[name] for name in names}


def lines_of(figures: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return a table's lines, name and value, of nested figures."""
    if isinstance(figures, dict):
        return [line for name, value in figures.items() for line in lines_of(value, f"{prefix} · {name}".strip(" ·"))]
    if isinstance(figures, list):
        return [line for number, value in enumerate(figures, 1) for line in lines_of(value, f"{prefix} {number}")]
    return [(prefix, f"{figures:.4g}" if isinstance(figures, float) else str(figures))]


def main(arguments: list[str] | None = None) -> int:
    """Measure, write JSON and print a table; returns 1 if a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--minutes", type=float, default=5.0, help="no part starts later (default: 5 of the 6 minutes)")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure, separated by commas")
    parser.add_argument("--toy", action="store_true", help="a small network on the CPU")
    args = parser.parse_args(arguments)
    if not args.toy and not torch.cuda.is_available():
        print("there is no GPU that torch can use; try --toy", file=sys.stderr)
        return 2
    os.environ["WANDB_MODE"] = "disabled"
    torch.set_float32_matmul_precision("high")  # as `trajvq fit` does
    device = platform.processor() or platform.machine() if args.toy else torch.cuda.get_device_name()
    with tempfile.TemporaryDirectory() as folder:
        results = run_parts(args.only.split(","), Measurement(Path(folder), args.toy), args.minutes, args.out)
    content = {"device": device, "toy": args.toy, "torch": torch.__version__, "parts": results}
    args.out.write_text(json.dumps(content, indent=1))
    table = Table(title=f"{device} · torch {torch.__version__}", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in lines_of(results):
        table.add_row(name, value)
    Console(width=None if Console().is_terminal else 120).print(table)
    print(f"written: {args.out}")
    return int(any("error" in result for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
