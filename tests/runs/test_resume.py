"""A run that was killed, stopped or broken ends with the same weights and figures as one that was not."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import Run
from tests.interruptions import interrupt_at
from tests.processes import fit_alone
from trajvq.data.synthetic.generate import generate

SETTINGS = [
    "--data.batch_size=4",
    "--model.tokenizer.width=16",
    "--model.augment.windows=2",
    "--model.augment.size=16",
    "--model.augment.frames=4",
    "--model.warmup_steps=3",
    "--trainer.max_steps=8",
    "--trainer.val_check_interval=3",
    "--trainer.log_every_n_steps=1",
    "--collapse.on_collapse=warn",
    "--checkpoint.every_seconds=0",
]
SELDOM = "--checkpoint.every_seconds=1000"  # only at validations and at the end


class Training:
    """Trains the same run in the folder `folder`, each time in a new process."""

    def __init__(self, folder: Path, dataset: Path) -> None:
        self.folder, self.dataset = folder, dataset
        self.run = folder / "runs/recon/a"
        folder.mkdir(exist_ok=True)

    def __call__(self, *extra: str) -> int | None:
        return fit_alone(self.folder, f"--data.path={self.dataset}", *SETTINGS, *extra)

    def checkpoint(self, name: str = "last") -> dict[str, Any]:
        content: dict[str, Any] = torch.load(self.run / f"checkpoints/{name}.ckpt", weights_only=True)
        return content

    def assert_same(self, other: "Training") -> None:
        """Check that both finished with the same checkpoints and the same figures."""
        for name in ("best", "last"):
            first, second = self.checkpoint(name), other.checkpoint(name)
            assert first["global_step"] == second["global_step"]
            for part in ("state_dict", "current_model_state", "averaging_state"):
                assert first[part].keys() == second[part].keys()
                assert all(torch.equal(first[part][key], second[part][key]) for key in first[part]), (name, part)
            moments = (content["optimizer_states"][0]["state"].values() for content in (first, second))
            for one, two in zip(*moments, strict=True):
                assert all(torch.equal(one[key], two[key]) for key in one)
            assert first["lr_schedulers"] == second["lr_schedulers"]
        assert (self.run / "metrics.csv").read_text() == (other.run / "metrics.csv").read_text()
        assert (self.run / "complete.json").exists()


@pytest.fixture
def training(here: Path, dataset: Path) -> Training:
    return Training(here, dataset)


@pytest.fixture(scope="module")
def uninterrupted(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    training = Training(tmp_path_factory.mktemp("uninterrupted"), dataset)
    assert training() == 0
    return training


@pytest.fixture(scope="module")
def killed(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was killed within its sixth step. Do not change it."""
    training = Training(tmp_path_factory.mktemp("killed"), dataset)
    assert training(*interrupt_at("inside", 5, "SIGKILL")) == -signal.SIGKILL
    return training.folder


def test_a_run_killed_again_and_again_ends_as_one_that_was_not(uninterrupted: Training, training: Training) -> None:
    for moment, step in (
        ("step", 1),
        ("inside", 2),
        ("validation", 3),
        ("validated", 3),
        ("step", 6),
    ):
        assert training(*interrupt_at(moment, step, "SIGKILL")) == -signal.SIGKILL, (moment, step)
    assert training() == 0
    training.assert_same(uninterrupted)


def test_a_run_saved_seldom_ends_the_same(uninterrupted: Training, training: Training) -> None:
    assert training(SELDOM, *interrupt_at("inside", 5, "SIGKILL")) == -signal.SIGKILL
    assert training() == 0
    training.assert_same(uninterrupted)


def test_stops_lose_no_step(uninterrupted: Training, training: Training) -> None:
    for action, moment, step, saved in (
        ("SIGTERM", "inside", 1, 2),
        ("SIGTERM", "validation", 3, 3),
        ("SIGINT", "step", 4, 4),
        ("SIGUSR1", "inside", 4, 5),
    ):
        assert training(SELDOM, *interrupt_at(moment, step, action)) == 128 + signal.Signals[action], (moment, step)
        assert training.checkpoint()["global_step"] == saved
        assert not (training.run / "complete.json").exists()
    assert training() == 0
    training.assert_same(uninterrupted)


def test_a_run_whose_time_is_over_stops_and_continues(
    uninterrupted: Training, training: Training, fit: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    limited = [SELDOM, "--trainer.max_time=00:01:00:00"]
    assert training(*limited, *interrupt_at("inside", 3, "wait")) == 128 + signal.SIGALRM
    assert not (training.run / "complete.json").exists()
    assert training(*limited) == 0  # the time counts from each start
    training.assert_same(uninterrupted)
    assert fit("--run=b", *limited, *interrupt_at("inside", 1, "wait")) == 128 + signal.SIGALRM
    assert "stopped at step 2 of 4 (trainer.max_time) and saved; continue with --run b" in capsys.readouterr().err


def test_errors_lose_no_step(uninterrupted: Training, training: Training) -> None:
    for moment, step in (("step", 2), ("validation", 3)):
        assert training(SELDOM, *interrupt_at(moment, step, "raise")) == 1, (moment, step)
        assert training.checkpoint()["global_step"] == step
    assert training() == 0
    training.assert_same(uninterrupted)


def test_weights_that_are_not_finite_are_not_saved(uninterrupted: Training, training: Training) -> None:
    for extra in ([], [SELDOM]):
        assert training(*extra, *interrupt_at("step", 4, "nan")) == 2
        assert training.checkpoint()["global_step"] == 3
    assert training() == 0
    training.assert_same(uninterrupted)


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_checkpoint_is_replaced_by_the_one_before(
    uninterrupted: Training, killed: Path, training: Training, damage: str
) -> None:
    shutil.copytree(killed, training.folder, dirs_exist_ok=True)
    last = training.run / "checkpoints/last.ckpt"
    raw = bytearray(last.read_bytes())
    if damage == "truncated":
        del raw[-1000:]
    else:
        raw[len(raw) // 2] ^= 1
    last.write_bytes(raw)
    assert training() == 0
    output = (training.folder / "output.txt").read_text()
    assert "last.ckpt cannot be read" in output
    assert "continuing from runs/recon/a/checkpoints/last-1.ckpt, step 4" in output
    training.assert_same(uninterrupted)


def test_a_run_goes_on_in_another_folder(uninterrupted: Training, killed: Path, training: Training) -> None:
    shutil.copytree(killed / "runs", training.folder / "runs")
    assert training() == 0
    training.assert_same(uninterrupted)


def test_gradients_are_accumulated_to_the_end_before_a_save(
    here: Path, dataset: Path, fit: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    accumulate = ["--trainer.accumulate_grad_batches=2", "--trainer.val_check_interval=4", "--trainer.max_steps=4"]
    whole, halves = Training(here / "whole", dataset), Training(here / "halves", dataset)
    assert whole(*accumulate) == 0
    # The signal comes in the first of the two batches of a step.
    assert halves(*accumulate, *interrupt_at("inside", 1, "SIGTERM")) == 128 + signal.SIGTERM
    assert halves.checkpoint()["global_step"] == 2
    assert halves(*accumulate) == 0
    halves.assert_same(whole)
    assert fit("--run=b", *accumulate, "--trainer.val_check_interval=3") == 2
    assert "make the first a multiple of the second" in capsys.readouterr().err


@pytest.fixture
def unfinished(finished: Path) -> Path:
    """A run of four steps that lacks its mark of completion."""
    (finished / "complete.json").unlink()
    return finished


def test_changed_settings_are_reported_and_used(unfinished: Path, fit: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--run=a", "--trainer.max_steps=6", "--model.learning_rate=0.0005", "--model.betas=[0.8,0.9]") == 0
    printed = capsys.readouterr().out
    for line in ("trainer.max_steps: 4 -> 6", "model.init_args.learning_rate: 0.003 -> 0.0005"):
        assert f"changed since the run began, and used from now on: {line}" in printed
    content = torch.load(unfinished / "checkpoints/last.ckpt", weights_only=True)
    groups = content["optimizer_states"][0]["param_groups"]
    assert 0.0005 in [group["initial_lr"] for group in groups]
    assert all(tuple(group["betas"]) == (0.8, 0.9) for group in groups)


REFUSED = {
    "another network": (["--model.tokenizer.patch_channels=32"], "has another network"),
    "another dataset": (["--data.path=other"], "began with another dataset"),
    "another optimizer": (["--model.matrix_learning_rate=null"], "cannot continue with another"),
    "other accumulated gradients": (["--trainer.accumulate_grad_batches=2"], "cannot continue with another"),
    "passes instead of steps": (["--trainer.max_epochs=3"], "remove trainer.max_epochs"),
    "a part of a pass": (["--trainer.limit_train_batches=3"], "set data.train_clips instead"),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
@pytest.mark.usefixtures("unfinished")
def test_a_change_that_a_run_cannot_resume_with_is_one_line(
    fit: Run, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    arguments, words = REFUSED[case]
    if "--data.path=other" in arguments:
        generate(Path("other"), {"train": 8, "val": 4}, seed=2, frames=8, size=32)
        capsys.readouterr()
    assert fit("--run=a", *arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_checkpoint_of_an_older_version_is_one_line(
    unfinished: Path, fit: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    path = unfinished / "checkpoints/last.ckpt"
    content = torch.load(path, weights_only=True)
    del content["trajvq"]
    torch.save(content, path)
    assert fit("--run=a") == 2
    assert "an older version of trajvq wrote" in capsys.readouterr().err


def test_a_run_without_a_readable_checkpoint_does_not_start_over(
    unfinished: Path, fit: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("last", "last-1"):
        (unfinished / f"checkpoints/{name}.ckpt").write_bytes(b"nothing")
    assert fit("--run=a") == 2
    error = capsys.readouterr().err
    assert "delete runs/recon/a to start over" in error
    assert error.count("\n") == 1


def test_a_new_run_with_the_weights_of_another_has_a_best_of_its_own(finished: Path, fit: Run, here: Path) -> None:
    content = torch.load(finished / "checkpoints/last.ckpt", weights_only=True)
    for state in content["callbacks"].values():
        if "best_model_score" in state:
            state["best_model_score"] = state["current_score"] = torch.tensor(0.99)
            state["best_k_models"] = dict.fromkeys(state["best_k_models"], torch.tensor(0.99))
            state["kth_value"] = torch.tensor(0.99)
    torch.save(content, here / "good.ckpt")
    assert fit("--run=b", f"--ckpt_path={here / 'good.ckpt'}", "--trainer.max_steps=6") == 0
    assert (here / "runs/recon/b/checkpoints/best.ckpt").exists()


def test_a_trial_of_the_code_is_no_finished_run(fit: Run, here: Path) -> None:
    assert fit("--run=a", "--trainer.fast_dev_run=true") == 0
    assert not (here / "runs/recon/a/complete.json").exists()
    assert fit("--run=b", "--trainer.limit_val_batches=0") == 0
    assert not (here / "runs/recon/latest").exists()
