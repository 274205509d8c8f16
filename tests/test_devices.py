"""Several processes: the gradients and figures of one with as large a batch, one run folder, sharded weights."""

import csv
import multiprocessing as mp
import os
import socket
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.utilities import rank_zero_only

from trajvq.cli import main
from trajvq.commands import fit as training
from trajvq.runs.loggers import AppendingCSVLogger

SPAWN = mp.get_context("forkserver")
SPAWN.set_forkserver_preload(["trajvq.commands.fit"])

SETTINGS = [
    "--config=recon",
    "--trainer.accelerator=cpu",
    "--model.tokenizer.width=16",
    "--model.augment=null",
    "--model.warmup_steps=3",
    "--trainer.max_steps=4",
    "--trainer.val_check_interval=2",
    "--trainer.log_every_n_steps=1",
    "--collapse.on_collapse=warn",
    "--run=a",
]


class Gradients(L.Callback):
    """Keeps the gradients of the first step, as the optimizer sees them."""

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        if trainer.global_step == 0:
            found = {n: getattr(p.grad, "full_tensor", lambda g=p.grad: g)() for n, p in pl_module.named_parameters()}
            if trainer.is_global_zero:
                torch.save(found, "gradients.pt")


def train(folder: Path, rank: int, world: int, port: int, arguments: list[str]) -> None:
    """Train as one of several processes that a launcher started."""
    os.chdir(folder)
    torch.set_num_threads(1)
    if world > 1:
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world), "NODE_RANK": "0"}
        os.environ.update(where, LOCAL_RANK=str(rank), RANK=str(rank))
        setattr(rank_zero_only, "rank", rank)  # noqa: B010 - Lightning asks once, when it is imported
    build = training.TrajvqCLI._instantiate_trainer

    def watched(self: Any, config: Any, callbacks: list[L.Callback]) -> L.Trainer:
        return build(self, config, [Gradients(), *callbacks])

    training.TrajvqCLI._instantiate_trainer = watched  # type: ignore[method-assign]
    # W&B takes seconds.
    setattr(training, "loggers", lambda run, task: [AppendingCSVLogger(run, name="", version="")])  # noqa: B010
    raise SystemExit(main(["fit", *SETTINGS, *arguments]))


def launch(folder: Path, world: int, *arguments: str) -> list[int | None]:
    """Train with so many processes; returns their exit codes."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [SPAWN.Process(target=train, args=(folder, r, world, port, list(arguments))) for r in range(world)]
    for process in processes:
        process.start()
    wait([process.sentinel for process in processes], timeout=100)
    if any(process.exitcode for process in processes):  # the others would wait for it
        for process in processes:
            process.kill()
    for process in processes:
        process.join(100)
    return [process.exitcode for process in processes]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs/recon/a/metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset whose validation clips do not divide among two processes."""
    from trajvq.data.synthetic.generate import generate

    folder = tmp_path_factory.mktemp("odd") / "data"
    generate(folder, {"train": 32, "val": 9}, seed=3, frames=8, size=32, progress=False)
    return folder


def test_two_processes_are_one_with_twice_the_batch(odd: Path, here: Path) -> None:
    assert launch(here / "one", 1, f"--data.path={odd}", "--data.batch_size=8", "--trainer.devices=1") == [0]
    two = ["--config=trainer/ddp", f"--data.path={odd}", "--data.batch_size=4", "--trainer.devices=2"]
    assert launch(here / "two", 2, *two) == [0, 0]
    alone, together = (torch.load(here / name / "gradients.pt", weights_only=True) for name in ("one", "two"))
    assert alone.keys() == together.keys()
    for name, gradient in alone.items():
        assert (together[name] - gradient).abs().max() <= 1e-5 * gradient.abs().max(), name
    learnt = sum(bool(gradient.any()) for gradient in alone.values())
    assert learnt > len(alone) / 3  # inside the blocks all are 0 in the first step
    first, second = (next(row for row in rows(here / name) if row["val/mse"]) for name in ("one", "two"))
    for name in ("val/mse", "val/skill", "val/visible", "val/centroid_error", "val/codes_used"):
        assert float(second[name]) == pytest.approx(float(first[name]), rel=1e-4), name


def test_one_process_writes_the_run_folder(odd: Path, here: Path) -> None:
    """Every file is there once, and the run goes on with another number of processes."""
    two = ["--config=trainer/ddp", f"--data.path={odd}", "--data.batch_size=4", "--trainer.devices=2"]
    assert launch(here, 2, *two) == [0, 0]
    run = here / "runs/recon/a"
    assert {path.name for path in (here / "runs/recon").iterdir()} == {"a", "latest"}
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt", "last-1.ckpt"}
    steps = [(row["step"], bool(row["val/mse"])) for row in rows(here)]
    assert len(steps) == len(set(steps))
    (run / "complete.json").unlink()
    more = [f"--data.path={odd}", "--data.batch_size=8", "--trainer.devices=1", "--trainer.max_steps=6"]
    assert launch(here, 1, *more) == [0]
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 6


def test_sharded_weights_end_in_one_plain_checkpoint(odd: Path, here: Path) -> None:
    sharded = ["--config=trainer/sharded", f"--data.path={odd}", "--data.batch_size=4", "--trainer.devices=2"]
    assert launch(here, 2, *sharded) == [0, 0]
    from trajvq.tokens import load_tokenizer

    network = load_tokenizer(here / "runs/recon/a/checkpoints/best.ckpt")
    assert all(type(p) is torch.nn.Parameter for p in network.parameters())
