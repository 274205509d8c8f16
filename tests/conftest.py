"""Shared datasets, tokenizers and runs. Clips have 8 frames of 32 x 32 pixels, so that every test is quick."""

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.toy_runs import EXTRA, SHORT, WINDOWS, copy_run, finished_run, options
from trajvq.adaptation import window_symmetry
from trajvq.cli import main
from trajvq.data.synthetic.generate import generate
from trajvq.io.locks import locked
from trajvq.models import CausalTokenizer
from trajvq.tokens.protocol import spec_of

os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for processes that tests start
torch.set_num_threads(1)  # pytest runs as many processes as there are cores
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
Run = Callable[..., int]


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that the first process of the tests makes, and the others wait for.

    Args:
        factory: pytest's.
        name: Of the folder.
        make: Fills the folder, which exists. If it fails, the next process tries again.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared" / name
    with locked(folder.parent, f"{name}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "complete").touch()
    return folder


@pytest.fixture(scope="session", autouse=True)
def few_windows() -> Iterator[None]:
    """Let trainings adapt to few windows of their clips, which otherwise takes a quarter of the time of a toy run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_symmetry, "WINDOWS", WINDOWS)
        yield


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with all splits. Do not change it."""

    def make(folder: Path) -> None:
        generate(folder / "small", SIZES, seed=1, frames=8, size=32)

    return shared(tmp_path_factory, "data", make) / "small"


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an untrained tokenizer with a claimed skill of 0.5, so that tasks accept it."""

    def make(folder: Path) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(5)
            network = CausalTokenizer(width=16)
            last = network.encoder.outward[-1]
            assert isinstance(last, torch.nn.Linear)
            with torch.no_grad():
                last.weight.mul_(30)  # so that the object changes the codes, which are mid-range elsewhere
                white = network.normalization(torch.ones(1, 3, 4, 8, 8))
                last.bias.sub_(network.encoder(white).flatten())
            save_tokenizer(network, folder / "best.ckpt", 0.5)

    return shared(tmp_path_factory, "tokenizer", make) / "best.ckpt"


def save_tokenizer(network: torch.nn.Module, path: Path, skill: float) -> None:
    """Write those parts of a reconstruction checkpoint that tasks read."""
    state = {f"tokenizer.{name}": value for name, value in network.state_dict().items()}
    best = {"ModelCheckpoint": {"monitor": "val/skill", "current_score": torch.tensor(skill)}}
    content = {"state_dict": state, "hyper_parameters": {"tokenizer": spec_of(network)}, "callbacks": best}
    torch.save(content, path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder. Modules imported from it are dropped after the test, so that others can reuse names."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(f"{tmp_path}{os.sep}"):
            del sys.modules[name]


@pytest.fixture
def fit(dataset: Path, here: Path) -> Run:
    """Train the tokenizer of the shipped config at toy size in the folder `here`, by default without loggers."""

    def run(*extra: str, logger: bool = False) -> int:
        quiet = [] if logger else ["--trainer.logger=false"]
        return main(["fit", *options("recon", dataset), *SHORT, *EXTRA["recon"], *quiet, *extra])

    return run


@pytest.fixture(scope="session")
def recon_run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of this task; see `finished_run`. Do not change it."""
    folder = shared(tmp_path_factory, "recon", lambda folder: finished_run(folder, "recon", dataset))
    return folder / "runs/recon/a"


@pytest.fixture(scope="session")
def classify_run(dataset: Path, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of this task; see `finished_run`. Do not change it."""
    folder = shared(tmp_path_factory, "classify", lambda folder: finished_run(folder, "classify", dataset, tokenizer))
    return folder / "runs/classify/a"


@pytest.fixture(scope="session")
def sample_run(dataset: Path, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of this task; see `finished_run`. Do not change it."""
    folder = shared(tmp_path_factory, "sample", lambda folder: finished_run(folder, "sample", dataset, tokenizer))
    return folder / "runs/sample/a"


@pytest.fixture(scope="session")
def forecast_run(dataset: Path, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of this task; see `finished_run`. Do not change it."""
    folder = shared(tmp_path_factory, "forecast", lambda folder: finished_run(folder, "forecast", dataset, tokenizer))
    return folder / "runs/forecast/a"


@pytest.fixture
def finished(recon_run: Path, here: Path) -> Path:
    """A copy of `recon_run` in the folder `here`, with ``latest`` pointing to it."""
    return copy_run(recon_run, here)
