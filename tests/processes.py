"""Train in processes of their own: with a failure at a chosen moment of the run, or as several processes together."""

import multiprocessing as mp
import os
import socket
from contextlib import redirect_stdout
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from lightning.pytorch.utilities import rank_zero_only

from tests.toy_runs import WINDOWS
from trajvq.adaptation import window_symmetry
from trajvq.cli import main

# Processes start from a server that has imported Lightning already, and s3fs, which Lightning imports when it saves. A
# fork of the test's own process would inherit threads and locks.
CONTEXT = mp.get_context("forkserver")
CONTEXT.set_forkserver_preload(["trajvq.commands.fit", "s3fs"])
DEADLINE = 120  # seconds until a process that is still running counts as hung
# W&B takes a second a run.
CSV_ONLY = [
    "--trainer.logger=trajvq.runs.loggers.AppendingCSVLogger",
    "--trainer.logger.save_dir=runs/recon/a",
    "--trainer.logger.name=",
    "--trainer.logger.version=",
]


def start(folder: Path, *arguments: str, **environment: str) -> BaseProcess:
    """Start ``trajvq fit`` with the run's name ``a`` in a folder; its output goes to ``output.txt``."""
    process = CONTEXT.Process(target=_fit, args=(folder, arguments, environment))
    process.start()
    return process


def _fit(folder: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
    os.chdir(folder)
    os.environ.update(environment)
    setattr(rank_zero_only, "rank", int(environment.get("RANK", 0)))  # noqa: B010 - Lightning read it when imported
    torch.set_num_threads(1)
    window_symmetry.WINDOWS = WINDOWS
    with Path("output.txt").open("a") as output, redirect_stdout(output):
        raise SystemExit(main(["fit", "--config=recon", "--run=a", *CSV_ONLY, *arguments]))


def fit_alone(folder: Path, *arguments: str) -> int | None:
    """Train in one process; returns its exit code."""
    return join([start(folder, *arguments)])[0]


def fit_together(folder: Path, world: int, *arguments: str) -> list[int | None]:
    """Train in several processes, started as torchrun does; returns their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world), "NODE_RANK": "0"}
    return join([start(folder, *arguments, **common, LOCAL_RANK=str(k), RANK=str(k)) for k in range(world)])


def join(processes: list[BaseProcess]) -> list[int | None]:
    """Wait for processes to end. If one fails, end the others, which would wait for it; returns the exit codes."""
    running = list(processes)
    while running:
        ended = wait([process.sentinel for process in running], DEADLINE)
        failed = not ended or any(process.exitcode for process in processes)
        running = [process for process in running if process.sentinel not in ended]
        for process in running if failed else []:
            process.kill()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]
