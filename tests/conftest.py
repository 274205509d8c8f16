"""Shared small datasets and runs: 8 frames of 32 x 32 pixels, so that every test is quick."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from trajvq.cli import main
from trajvq.data.synthetic.generate import generate
from trajvq.models import CausalTokenizer
from trajvq.tokens.protocol import spec_of

os.environ.setdefault("WANDB_MODE", "offline")
torch.set_num_threads(2)
logging.raiseExceptions = False  # W&B keeps a handler on the stream of the test that started it

SIZES = {
    "train": 32,
    "val": 8,
    "test": 12,
    "ood_speed": 4,
    "ood_size": 4,
    "ood_color": 4,
    "ood_hole": 4,
    "ood_combo": 4,
}
TINY = [
    "--data.batch_size=4",
    "--model.tokenizer.width=16",
    "--trainer.max_steps=4",
    "--trainer.val_check_interval=2",
    "--trainer.log_every_n_steps=1",
    "--collapse.on_collapse=warn",
]

Run = Callable[..., int]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of all splits, made once."""
    folder = tmp_path_factory.mktemp("data") / "small"
    generate(folder, SIZES, seed=1, frames=8, size=32, progress=False)
    return folder


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an untrained tokenizer that calls itself good, as the tasks on tokens take one."""
    path = tmp_path_factory.mktemp("tokenizer") / "best.ckpt"
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = CausalTokenizer(width=16)
        last = network.encoder.outward[-1]
        assert isinstance(last, torch.nn.Linear)
        with torch.no_grad():
            last.weight.mul_(30)  # so that the object changes codes, from the middle of all where there is none
            last.bias.sub_(network.encoder(torch.ones(1, 3, 4, 8, 8)).flatten())
        save_tokenizer(network, path, 0.5)
    return path


def save_tokenizer(network: torch.nn.Module, path: Path, skill: float) -> None:
    """Write what the tasks need of a reconstruction checkpoint."""
    state = {f"tokenizer.{name}": value for name, value in network.state_dict().items()}
    chosen = {"ModelCheckpoint": {"monitor": "val/skill", "current_score": torch.tensor(skill)}}
    content = {"state_dict": state, "hyper_parameters": {"tokenizer": spec_of(network)}, "callbacks": chosen}
    torch.save(content, path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder; modules found in it are forgotten after the test, so that others may have the name."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(f"{tmp_path}{os.sep}"):
            del sys.modules[name]


@pytest.fixture
def fit(dataset: Path, here: Path) -> Run:
    """Train the shipped config at toy size, without loggers unless asked, in the folder `here`."""

    def run(*extra: str, config: str = "recon", logger: bool = False) -> int:
        quiet = [] if logger else ["--trainer.logger=false"]
        return main(["fit", "--config", config, f"--data.path={dataset}", *TINY, *quiet, *extra])

    return run
