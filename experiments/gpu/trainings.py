"""Trainings by the command line: against the CPU, killed and continued, by other strategies, of other tasks."""

import csv
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
FIGURES = ("val/skill", "val/visible", "val/centroid_error", "val/mse")
THREADS = 2  # of each training; several run beside each other, and threads that wait for work take time from them
CSV_ONLY = [
    "--trainer.logger=trajvq.runs.loggers.AppendingCSVLogger",
    "--trainer.logger.name=",
    "--trainer.logger.version=",
]


class Trainings:
    """Trains and predicts in a folder, each time in a process of its own.

    Args:
        folder: Holds the runs.
        dataset: The dataset.
        accelerator: Lightning's name of the device, ``gpu`` or ``cpu``.
        small: Options that make the networks small.
    """

    def __init__(self, folder: Path, dataset: Path, accelerator: str, small: list[str]) -> None:
        self.folder, self.dataset, self.accelerator, self.small = folder, dataset, accelerator, small

    def call(self, *arguments: str, accelerator: str | None = None) -> tuple[int, str, float]:
        """Run ``trajvq``; returns exit code, last line and seconds."""
        device = [f"--trainer.accelerator={accelerator or self.accelerator}"]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "trajvq", *arguments, *device, f"--data.path={self.dataset}"],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": path, "WANDB_MODE": "disabled", "OMP_NUM_THREADS": str(THREADS)},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = (done.stdout + done.stderr).strip().splitlines()
        return done.returncode, lines[-1] if lines else "", time.monotonic() - start

    def fit(self, name: str, steps: int, *extra: str, accelerator: str | None = None) -> tuple[Path, int, float]:
        """Train a tokenizer; returns its run folder, the exit code and seconds.

        Raises:
            RuntimeError: If it neither ends well nor by SIGKILL.
        """
        run = self.folder / "runs/recon" / name
        settings = [
            "--config=recon",
            f"--run={name}",
            *CSV_ONLY,
            f"--trainer.logger.save_dir={run}",
            f"--trainer.max_steps={steps}",
            f"--trainer.val_check_interval={max(steps // 2, 1)}",
            "--trainer.log_every_n_steps=10",
            "--collapse.on_collapse=warn",
            *self.small,
        ]
        code, line, seconds = self.call("fit", *settings, "--trainer.devices=1", *extra, accelerator=accelerator)
        if code not in (0, -9):
            raise RuntimeError(f"{name}: exit code {code}, {line}")
        return run, code, seconds


def last_figures(run: Path) -> dict[str, float]:
    """Return the figures of the last validation."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("val/mse")]
    return {name: float(rows[-1][name]) for name in FIGURES if rows[-1].get(name)}


def against_cpu(trainings: Trainings, seconds: float, trial: int) -> dict[str, Any]:
    """Train for some time on the CPU, and the same number of steps on the device.

    Args:
        trainings: Where.
        seconds: Time of the training on the CPU.
        trial: Steps that estimate its speed.
    """
    _, _, short = trainings.fit("trial-short", trial, accelerator="cpu")
    _, _, long = trainings.fit("trial-long", 3 * trial, accelerator="cpu")
    steps = max(int(seconds * 2 * trial / max(long - short, 0.1)) // 10 * 10, 2 * trial)
    figures: dict[str, Any] = {"steps": steps}
    for accelerator in dict.fromkeys(("cpu", trainings.accelerator)):
        run, _, taken = trainings.fit(f"steps-{accelerator}", steps, accelerator=accelerator)
        figures[accelerator] = {"seconds": taken, **last_figures(run)}
    if trainings.accelerator != "cpu":
        run, _, taken = trainings.fit("recorded", steps, "--model.cuda_graphs=true")
        figures["CUDA graphs"] = {"seconds": taken, **last_figures(run)}
    return figures


def killed_and_continued(trainings: Trainings, steps: int) -> dict[str, Any]:
    """Kill a training, continue it, and compare its end with one that was not killed, bit for bit."""
    interruption = "tests.interruptions.Interruption"
    at = {"moment": "inside", "step": str(steps // 2 + 1), "action": "SIGKILL"}
    kill = [f"--trainer.callbacks+={interruption}", *(f"--trainer.callbacks.{k}={v}" for k, v in at.items())]
    save = "--checkpoint.every_seconds=0"
    whole, _, _ = trainings.fit("whole", steps, save)
    killed, code, _ = trainings.fit("killed", steps, save, *kill)
    trainings.fit("killed", steps, save)
    differing = differences(whole, killed)
    return {"was_killed": code == -9, "bit_identical": not differing, "differing": differing[:5]}


def differences(first: Path, second: Path) -> list[str]:
    """Name the parts of two finished runs that are not bit-identical."""
    differing = []
    a, b = (torch.load(run / "checkpoints/last.ckpt", weights_only=True, map_location="cpu") for run in (first, second))
    for part in ("state_dict", "current_model_state"):
        differing += [f"{part} {name}" for name in a[part] if not torch.equal(a[part][name], b[part][name])]
    states = (a["optimizer_states"][0]["state"], b["optimizer_states"][0]["state"])
    for key, state in states[0].items():
        for name, value in state.items():
            if torch.is_tensor(value) and not torch.equal(value, states[1][key][name]):
                differing.append(f"optimizer {key} {name}")
    return differing


def by_strategy(trainings: Trainings, steps: int) -> dict[str, Any]:
    """Train with one process by DDP and FSDP2; their figures are those of plain training."""
    figures: dict[str, Any] = {}
    for name, extra in (("plain", []), ("ddp", ["--config=trainer/ddp"]), ("sharded", ["--config=trainer/sharded"])):
        run, _, seconds = trainings.fit(f"strategy-{name}", steps, *extra)
        figures[name] = {"seconds": seconds, **last_figures(run)}
    return figures


def train_task(trainings: Trainings, task: str, steps: int, small: list[str]) -> Path:
    """Train a task on the tokens of the default weights; returns its checkpoint.

    Raises:
        RuntimeError: If the training fails.
    """
    settings = [
        f"--config={task}",
        f"--run={task}",
        "--model.tokenizer_ckpt=default",
        "--trainer.logger=false",
        f"--trainer.max_steps={steps}",
        f"--trainer.val_check_interval={steps}",
        "--trainer.devices=1",
        *small,
    ]
    code, line, _ = trainings.call("fit", *settings)
    if code:
        raise RuntimeError(f"{task}: exit code {code}, {line}")
    return trainings.folder / "runs" / task / task / "checkpoints/best.ckpt"


def predictions(trainings: Trainings, checkpoint: Path, accelerator: str, small: list[str]) -> Path:
    """Predict the test split with a forecaster, and return a copy of the file.

    Raises:
        RuntimeError: If the prediction fails.
    """
    settings = ["--config=forecast", f"--ckpt_path={checkpoint}", "--model.tokenizer_ckpt=default", *small]
    code, line, _ = trainings.call("predict", *settings, "--trainer.devices=1", accelerator=accelerator)
    if code:
        raise RuntimeError(f"predict on {accelerator}: exit code {code}, {line}")
    target = trainings.folder / f"predictions-{accelerator}.h5"
    shutil.copyfile(checkpoint.parents[1] / "predictions.h5", target)
    return target
