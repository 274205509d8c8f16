"""Runs of the shipped configs at toy size, one for each task, shared by the tests that only read them."""

import shutil
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from trajvq.cli import main
from trajvq.tasks import sample_scoreboard
from trajvq.tasks.tracks import TrackTraining

# Options that make the network and the work of a task small; the same for `fit` and `test`.
SMALL = {
    "recon": ["--model.tokenizer.width=16", "--data.batch_size=4"],
    "classify": [
        "--model.network.width=16",
        "--model.network.keep=4",
        "--model.network.hidden=32",
        "--data.batch_size=8",
        "--data.versions=1",
    ],
    "sample": [
        "--model.network.tokens.width=16",
        "--model.network.tokens.depth=1",
        "--model.network.tokens.heads=2",
        "--model.network.tokens.background_width=8",
        "--model.network.tokens.background_depth=1",
        "--model.network.trajectory.width=16",
        "--model.network.trajectory.depth=1",
        "--model.network.trajectory.mixtures=2",
        "--model.network.appearance.width=16",
        "--model.network.denoiser.width=16",
        "--model.samples=6",
        "--model.trajectory=always",  # the tokenizer of the tests is not trained
        "--data.batch_size=8",
        "--data.versions=2",
    ],
    "forecast": [
        "--model.network.trajectory.width=16",
        "--model.network.tokens.width=16",
        "--model.network.tokens.background_width=8",
        "--model.network.tokens.background_depth=1",
        "--model.context=4",
        "--model.horizon=4",
        "--model.samples=3",
        "--model.trajectory=always",
        "--model.paths=16",
        "--model.warmup_steps=1",
        "--data.batch_size=8",
        "--data.versions=2",
    ],
}
WINDOWS = 200  # instead of the 2000 of `trajvq.adaptation.window_symmetry`
SHORT = ["--trainer.max_steps=4", "--trainer.val_check_interval=2", "--trainer.log_every_n_steps=1"]
EXTRA = {"recon": ["--collapse.on_collapse=warn"], "classify": ["--data.versions=2"]}  # for `fit` alone


def options(task: str, dataset: Path, tokenizer: Path | None = None) -> list[str]:
    """Return the options of a task at toy size, which every command takes."""
    frozen = [] if tokenizer is None else [f"--model.tokenizer_ckpt={tokenizer}"]
    return ["--config", task, f"--data.path={dataset}", *frozen, *SMALL[task]]


def finished_run(folder: Path, task: str, dataset: Path, tokenizer: Path | None = None) -> None:
    """Train the run ``runs/TASK/a`` in `folder`, log to W&B and test on two splits.

    What is printed goes to ``output.txt``.
    """
    common = options(task, dataset, tokenizer)
    steps = [] if task == "recon" else ["--model.total_steps=4"]
    training = TrackTraining(steps=10)
    with pytest.MonkeyPatch.context() as patch, (folder / "output.txt").open("w") as output, redirect_stdout(output):
        patch.chdir(folder)
        patch.setattr(sample_scoreboard, "GAN", training)
        assert main(["fit", *common, *SHORT, *EXTRA.get(task, []), "--run=a"]) == 0
        assert main(["test", *common, *steps, "--data.test_splits=[ood_size,test]"]) == 0
        import wandb  # here, so that tests of a device run without it

        wandb.teardown()  # waits until its process has written the last records to disk


def copy_run(run: Path, here: Path, with_wandb: bool = False) -> Path:
    """Copy a run and ``latest`` into the folder `here`, by default without its W&B run, which takes time to continue.

    Returns:
        The copy's folder.
    """
    task = run.parent.name
    ignore = None if with_wandb else shutil.ignore_patterns("wandb", "wandb.id")
    shutil.copytree(run.parent, here / "runs" / task, symlinks=True, ignore=ignore)
    return here / "runs" / task / run.name
