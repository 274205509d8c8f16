"""Several processes give the gradients and figures of one process with as large a batch, and one run folder."""

import csv
import shutil
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from tests.processes import fit_alone, fit_together
from trajvq.data.synthetic.generate import generate
from trajvq.tokens import load_tokenizer

SETTINGS = [
    "--trainer.accelerator=cpu",
    "--model.tokenizer.width=16",
    "--model.augment=null",
    "--model.warmup_steps=3",
    "--trainer.max_steps=4",
    "--trainer.val_check_interval=2",
    "--trainer.log_every_n_steps=1",
    "--collapse.on_collapse=warn",
    "--trainer.callbacks+=tests.test_devices.Gradients",
]


class Gradients(L.Callback):
    """Saves the gradients of the first step, as the optimizer receives them, and how each process normalizes clips.

    Also writes the clips of every step, a line for each.
    """

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, *_: Any) -> None:
        with Path(f"clips-{trainer.global_rank}.txt").open("a") as file:
            print(trainer.global_step, *batch["index"].tolist(), file=file)

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        if trainer.global_step == 0:
            state = pl_module.tokenizer.normalization.state_dict()  # type: ignore[union-attr]
            torch.save(state, f"normalization-{trainer.global_rank}.pt")
            gradients = {
                name: getattr(weight.grad, "full_tensor", lambda g=weight.grad: g)()
                for name, weight in pl_module.named_parameters()
            }
            if trainer.is_global_zero:
                torch.save(gradients, "gradients.pt")


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The option for a dataset whose validation clips do not divide among two processes."""
    folder = tmp_path_factory.mktemp("uneven") / "data"
    generate(folder, {"train": 32, "val": 9}, seed=3, frames=8, size=32)
    return f"--data.path={folder}"


def one_process(folder: Path, data: str, *extra: str) -> None:
    assert fit_alone(folder, *SETTINGS, data, "--data.batch_size=8", "--trainer.devices=1", *extra) == 0


def two_processes(folder: Path, data: str, config: str, *extra: str) -> None:
    devices = [f"--config=trainer/{config}", "--data.batch_size=4", "--trainer.devices=2"]
    assert fit_together(folder, 2, *devices, *SETTINGS, data, *extra) == [0, 0]


def clips(folder: Path) -> dict[int, list[int]]:
    """Return the clips of each step that a run took, of all processes."""
    steps: dict[int, list[int]] = {}
    for path in folder.glob("clips-*.txt"):
        for line in path.read_text().splitlines():
            step, *indices = map(int, line.split())
            steps.setdefault(step, []).extend(indices)
    return steps


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs/recon/a/metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def pair(uneven: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run trained by two processes. Do not change it."""
    folder = tmp_path_factory.mktemp("pair")
    two_processes(folder, uneven, "ddp")
    return folder


@pytest.fixture(scope="module")
def single(uneven: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run trained by one process. Do not change it."""
    folder = tmp_path_factory.mktemp("single")
    one_process(folder, uneven)
    return folder


def test_two_processes_are_one_with_twice_the_batch(single: Path, pair: Path) -> None:
    alone, together = (torch.load(folder / "gradients.pt", weights_only=True) for folder in (single, pair))
    assert alone.keys() == together.keys()
    for name, gradient in alone.items():
        assert (together[name] - gradient).abs().max() <= 1e-5 * gradient.abs().max(), name
    trained = sum(bool(gradient.any()) for gradient in alone.values())
    assert trained > len(alone) / 3  # within the blocks all gradients are 0 in the first step
    first, second = (next(row for row in rows(folder) if row["val/mse"]) for folder in (single, pair))
    for name in ("val/mse", "val/skill", "val/visible", "val/centroid_error", "val/codes_used"):
        assert float(second[name]) == pytest.approx(float(first[name]), rel=1e-4), name


def test_every_process_normalizes_alike(pair: Path) -> None:
    first, second = (torch.load(pair / f"normalization-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert 0 < float(first["contrast"]) < 1
    assert first["background"].flatten().tolist() == [1.0, 1.0, 1.0]
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (pair / "output.txt").read_text().count("normalization: ") == 1


def test_one_process_writes_the_run_folder(pair: Path) -> None:
    run = pair / "runs/recon/a"
    assert {path.name for path in (pair / "runs/recon").iterdir()} == {"a", "latest"}
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt", "last-1.ckpt"}
    steps = [(row["step"], bool(row["val/mse"])) for row in rows(pair)]
    assert len(steps) == len(set(steps))


def test_a_run_of_one_process_goes_on_with_two_and_one_again(uneven: str, single: Path, here: Path) -> None:
    shutil.copytree(single, here, symlinks=True, dirs_exist_ok=True)
    complete = here / "runs/recon/a/complete.json"
    complete.unlink()
    two_processes(here, uneven, "ddp", "--data.batch_size=3", "--trainer.max_steps=7")
    complete.unlink()
    one_process(here, uneven, "--data.batch_size=7", "--trainer.max_steps=9")
    steps = clips(here)
    assert [len(steps[step]) for step in range(9)] == [8, 8, 8, 8, 6, 6, 6, 7, 7]
    for epoch in (range(4), range(4, 9)):
        assert sorted(k for step in epoch for k in steps[step]) == list(range(32))
    output = (here / "output.txt").read_text()
    assert output.count("the order of the clips goes on after") == 2
    assert "processes 1 -> 2, clips per batch 8 -> 6: the order of the clips goes on after the 32 read" in output
    assert "processes 2 -> 1, clips per batch 6 -> 7: the order of the clips goes on after the 50 read" in output


def test_sharded_weights_end_in_one_plain_checkpoint(uneven: str, here: Path) -> None:
    two_processes(here, uneven, "sharded")
    network = load_tokenizer(here / "runs/recon/a/checkpoints/best.ckpt")
    assert all(type(p) is torch.nn.Parameter for p in network.parameters())
    assert network.normalization.background.flatten().tolist() == [1.0, 1.0, 1.0]  # type: ignore[union-attr, operator]


def test_sharded_weights_start_from_existing_ones(uneven: str, pair: Path, here: Path) -> None:
    start = pair / "runs/recon/a/checkpoints/last.ckpt"
    rates = ["--model.learning_rate=0", "--model.matrix_learning_rate=null", "--model.weight_decay=0"]
    two_processes(here, uneven, "sharded", f"--model.init_from={start}", "--seed_everything=1", *rates)
    before, after = (load_tokenizer(path).state_dict() for path in (start, here / "runs/recon/a/checkpoints/last.ckpt"))
    assert all(torch.equal(before[name], after[name]) for name in before)
