"""A run that was killed, stopped or broken ends with the very weights and figures of one that was not."""

import multiprocessing as mp
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from tests.conftest import Run
from trajvq.cli import main
from trajvq.commands import fit as training
from trajvq.runs.loggers import AppendingCSVLogger

SPAWN = mp.get_context("forkserver")
SPAWN.set_forkserver_preload(["trajvq.commands.fit"])

STEPS = 8
SETTINGS = [
    "--config=recon",
    "--data.batch_size=4",
    "--model.tokenizer.width=16",
    "--model.augment.windows=2",
    "--model.augment.size=16",
    "--model.augment.frames=4",
    "--model.warmup_steps=3",
    f"--trainer.max_steps={STEPS}",
    "--trainer.val_check_interval=3",
    "--trainer.log_every_n_steps=1",
    "--collapse.on_collapse=warn",
    "--checkpoint.every_seconds=0",
]


Strike = Callable[[L.Trainer], None]


class Blow(L.Callback):
    """Strikes once, at one moment of a run."""

    def __init__(self, moment: str, step: int, strike: Strike) -> None:
        self.moment, self.step, self.strike = moment, step, strike

    def at(self, moment: str, trainer: L.Trainer) -> None:
        if moment == self.moment and trainer.global_step == self.step and trainer.state.fn == "fit":
            self.moment = ""
            self.strike(trainer)

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        self.at("step", trainer)

    def on_before_zero_grad(self, trainer: L.Trainer, *_: Any) -> None:
        self.at("inside", trainer)

    def on_validation_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        self.at("validation", trainer)

    def on_validation_end(self, trainer: L.Trainer, *_: Any) -> None:
        self.at("validated", trainer)


def kill(_: L.Trainer) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def term(_: L.Trainer) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def interrupt(_: L.Trainer) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def fail(_: L.Trainer) -> None:
    raise RuntimeError("broken")


def poison(trainer: L.Trainer) -> None:
    next(trainer.lightning_module.parameters()).data.fill_(float("nan"))


def train(folder: Path, dataset: Path, blow: Blow | None = None, *extra: str) -> int:
    """Train in this process, struck by a blow; returns the exit code."""
    os.chdir(folder)
    torch.set_num_threads(1)
    if blow is not None:
        build = training.TrajvqCLI._instantiate_trainer

        def with_blow(self: Any, config: Any, callbacks: list[L.Callback]) -> L.Trainer:
            return build(self, config, [blow, *callbacks])

        training.TrajvqCLI._instantiate_trainer = with_blow  # type: ignore[method-assign]
    # W&B takes seconds.
    setattr(training, "loggers", lambda run, task: [AppendingCSVLogger(run, name="", version="")])  # noqa: B010
    with (folder / "said").open("a") as said, redirect_stdout(said):
        return main(["fit", *SETTINGS, f"--data.path={dataset}", "--run=a", *extra])


def _train(*arguments: Any) -> None:
    raise SystemExit(train(*arguments))


def in_a_process(*arguments: Any) -> int | None:
    process = SPAWN.Process(target=_train, args=arguments)
    process.start()
    process.join(120)
    return process.exitcode


def same(first: Path, second: Path) -> None:
    """Check that two finished runs have the same checkpoints and the same figures."""
    for name in ("best", "last"):
        a, b = (torch.load(f / f"runs/recon/a/checkpoints/{name}.ckpt", weights_only=True) for f in (first, second))
        assert a["global_step"] == b["global_step"]
        for part in ("state_dict", "current_model_state", "averaging_state"):
            assert a[part].keys() == b[part].keys()
            assert all(torch.equal(a[part][k], b[part][k]) for k in a[part]), (name, part)
        for one, two in zip(
            a["optimizer_states"][0]["state"].values(), b["optimizer_states"][0]["state"].values(), strict=True
        ):
            assert all(torch.equal(one[k], two[k]) for k in one)
        assert a["lr_schedulers"] == b["lr_schedulers"]
    assert (first / "runs/recon/a/metrics.csv").read_text() == (second / "runs/recon/a/metrics.csv").read_text()
    assert (second / "runs/recon/a/complete.json").exists()


@pytest.fixture(scope="module")
def straight(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight")
    assert in_a_process(folder, dataset) == 0
    return folder


def test_a_run_killed_again_and_again_ends_as_one_that_was_not(straight: Path, dataset: Path, here: Path) -> None:
    moments = [
        ("step", 1),
        ("inside", 2),
        ("validation", 3),
        ("validated", 3),
        ("validation", 6),
        ("step", 6),
        ("inside", 7),
    ]
    for moment, step in moments:
        assert in_a_process(here, dataset, Blow(moment, step, kill)) == -signal.SIGKILL, (moment, step)
    assert in_a_process(here, dataset) == 0
    same(straight, here)


def test_a_run_saved_seldom_ends_the_same(straight: Path, dataset: Path, here: Path) -> None:
    assert in_a_process(here, dataset, Blow("inside", 5, kill), "--checkpoint.every_seconds=1000") == -signal.SIGKILL
    assert in_a_process(here, dataset) == 0
    same(straight, here)


@pytest.mark.parametrize(
    ("stop", "moment", "step"), [(term, "inside", 4), (term, "validation", 3), (interrupt, "step", 4)]
)
def test_a_stop_loses_no_step(straight: Path, dataset: Path, here: Path, moment: str, step: int, stop: Strike) -> None:
    code = 128 + (signal.SIGTERM if stop is term else signal.SIGINT)
    assert in_a_process(here, dataset, Blow(moment, step, stop), "--checkpoint.every_seconds=1000") == code
    saved = torch.load(here / "runs/recon/a/checkpoints/last.ckpt", weights_only=True)
    assert saved["global_step"] == (step + 1 if moment == "inside" else step)
    assert not (here / "runs/recon/a/complete.json").exists()
    assert in_a_process(here, dataset) == 0
    same(straight, here)


@pytest.mark.parametrize(("moment", "step"), [("step", 4), ("validation", 3)])
def test_an_error_loses_no_step(straight: Path, dataset: Path, here: Path, moment: str, step: int) -> None:
    assert in_a_process(here, dataset, Blow(moment, step, fail), "--checkpoint.every_seconds=1000") == 1
    assert torch.load(here / "runs/recon/a/checkpoints/last.ckpt", weights_only=True)["global_step"] == step
    assert in_a_process(here, dataset) == 0
    same(straight, here)


def test_weights_that_are_no_numbers_are_not_saved(straight: Path, dataset: Path, here: Path) -> None:
    for extra in ("--checkpoint.every_seconds=0", "--checkpoint.every_seconds=1000"):
        assert in_a_process(here, dataset, Blow("step", 4, poison), extra) == 2
        assert torch.load(here / "runs/recon/a/checkpoints/last.ckpt", weights_only=True)["global_step"] == 3
    assert in_a_process(here, dataset) == 0
    same(straight, here)


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    straight: Path, dataset: Path, here: Path, damage: str
) -> None:
    assert in_a_process(here, dataset, Blow("inside", 5, kill)) == -signal.SIGKILL
    last = here / "runs/recon/a/checkpoints/last.ckpt"
    raw = bytearray(last.read_bytes())
    if damage == "truncated":
        del raw[-1000:]
    else:
        raw[len(raw) // 2] ^= 1
    last.write_bytes(raw)
    assert in_a_process(here, dataset) == 0
    said = (here / "said").read_text()
    assert "last.ckpt cannot be read" in said
    assert "going on from runs/recon/a/checkpoints/last-1.ckpt, step 4" in said
    same(straight, here)


def test_a_run_goes_on_in_another_folder(straight: Path, dataset: Path, here: Path) -> None:
    (here / "first").mkdir()
    (here / "second").mkdir()
    assert in_a_process(here / "first", dataset, Blow("inside", 7, kill)) == -signal.SIGKILL
    shutil.move(here / "first/runs", here / "second/runs")
    assert in_a_process(here / "second", dataset) == 0
    same(straight, here / "second")


def unfinished(fit: Run, here: Path) -> Path:
    assert fit("--run=a", "--trainer.max_steps=4") == 0
    (here / "runs/recon/a/complete.json").unlink()
    return here / "runs/recon/a"


def test_changed_settings_are_said_and_used(fit: Run, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = unfinished(fit, here)
    assert fit("--run=a", "--trainer.max_steps=6", "--model.learning_rate=0.0005", "--model.betas=[0.8,0.9]") == 0
    said = capsys.readouterr().out
    for line in ("trainer.max_steps: 4 -> 6", "model.init_args.learning_rate: 0.003 -> 0.0005"):
        assert f"changed since the run began, and used from now on: {line}" in said
    state = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    groups = state["optimizer_states"][0]["param_groups"]
    assert 0.0005 in [group["initial_lr"] for group in groups]
    assert all(tuple(group["betas"]) == (0.8, 0.9) for group in groups)


MEANINGLESS = {
    "another network": (["--model.tokenizer.patch_channels=32"], "begun with another network"),
    "another dataset": (["--data.path=other"], "begun with another dataset"),
    "another optimizer": (["--model.matrix_learning_rate=null"], "cannot go on with another"),
    "other gathered gradients": (["--trainer.accumulate_grad_batches=2"], "cannot go on with another"),
    "passes instead of steps": (["--trainer.max_epochs=3"], "runs stop by trainer.max_steps"),
    "a part of a pass": (["--trainer.limit_train_batches=3"], "set data.train_clips instead"),
}


@pytest.mark.parametrize("case", sorted(MEANINGLESS))
def test_what_cannot_be_continued_is_one_line(
    fit: Run, here: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    from trajvq.data.synthetic.generate import generate

    arguments, words = MEANINGLESS[case]
    generate(Path("other"), {"train": 8, "val": 4}, seed=2, frames=8, size=32, progress=False)
    unfinished(fit, here)
    capsys.readouterr()
    assert fit("--run=a", *arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_checkpoint_of_an_older_version_is_one_line(fit: Run, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = unfinished(fit, here)
    path = run / "checkpoints/last.ckpt"
    content = torch.load(path, weights_only=True)
    del content["trajvq"]
    torch.save(content, path)
    assert fit("--run=a") == 2
    assert "was written by an older version of trajvq and cannot be continued" in capsys.readouterr().err


def test_a_run_with_no_readable_checkpoint_is_not_begun_anew(
    fit: Run, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = unfinished(fit, here)
    for name in ("last", "last-1"):
        (run / f"checkpoints/{name}.ckpt").write_bytes(b"nothing")
    assert fit("--run=a") == 2
    said = capsys.readouterr().err
    assert "delete runs/recon/a to start over" in said
    assert said.count("\n") == 1


def test_gathered_gradients_are_whole_at_every_save(
    dataset: Path, here: Path, fit: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    gather = ["--trainer.accumulate_grad_batches=2", "--trainer.val_check_interval=4"]
    for name in ("first", "second"):
        (here / name).mkdir()
    assert in_a_process(here / "first", dataset, None, *gather) == 0
    assert in_a_process(here / "second", dataset, Blow("inside", 3, kill), *gather) == -signal.SIGKILL
    assert in_a_process(here / "second", dataset, None, *gather) == 0
    same(here / "first", here / "second")
    assert fit("--run=b", *gather, "--trainer.val_check_interval=3") == 2
    assert "make the first a multiple of the second" in capsys.readouterr().err


def test_a_new_run_with_anothers_weights_has_a_best_of_its_own(fit: Run, here: Path) -> None:
    assert fit("--run=a") == 0
    old = here / "runs/recon/a/checkpoints/last.ckpt"
    content = torch.load(old, weights_only=True)
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
