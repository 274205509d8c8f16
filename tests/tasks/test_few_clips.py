"""Training adapts to the number of clips: shorter where few would be learned by heart, and says so."""

from pathlib import Path

import lightning as L
import pytest
import torch

from tests.interruptions import interrupt_at
from tests.toy_runs import options
from trajvq.cli import main
from trajvq.tasks.few_clips import clips_per_step, limit_passes


@pytest.mark.parametrize(
    ("clips", "steps", "interval"),
    [(140, 612, 204), (20, 141, 47), (1, 141, 47), (343, 1_500, 500), (30_000, 1_500, 500)],
)
def test_steps_follow_the_passes_over_the_clips_and_never_exceed_those_asked_for(
    clips: int, steps: int, interval: int
) -> None:
    trainer = L.Trainer(max_steps=1_500, val_check_interval=500, check_val_every_n_epoch=None, logger=False)
    line = limit_passes(trainer, clips, clips_per_step(trainer, clips, 32), 140)
    assert (trainer.max_steps, trainer.val_check_interval) == (steps, interval)
    assert line is None if steps == 1_500 else line is not None and f"{steps:,} instead of 1,500" in line


def test_with_accumulated_gradients_a_step_has_several_batches_and_validations_stay_as_many() -> None:
    settings = {"max_steps": 1_500, "val_check_interval": 1_000, "check_val_every_n_epoch": None, "logger": False}
    trainer = L.Trainer(**settings, accumulate_grad_batches=2)  # type: ignore[arg-type]
    assert limit_passes(trainer, 140, clips_per_step(trainer, 140, 16), 140) is not None
    assert (trainer.max_steps, trainer.val_check_interval) == (612, 408)


@pytest.mark.parametrize("task", ["sample", "forecast"])
def test_few_clips_train_fewer_steps_to_a_learning_rate_of_0_and_continue_exactly(
    task: str, dataset: Path, tokenizer: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", *options(task, dataset, tokenizer), "--trainer.max_steps=16", "--trainer.val_check_interval=4"]
    words += ["--model.max_passes=2", "--model.warmup_steps=1", "--trainer.logger=false"]
    assert main([*words, "--run=whole"]) == 0
    assert "steps: 8 instead of 16, since there are 32 training clips: 2 passes over them" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="broken"):
        main([*words, "--run=halves", *interrupt_at("step", 5, "raise")])
    assert main([*words, "--run=halves"]) == 0
    paths = [here / "runs" / task / run / "checkpoints/last.ckpt" for run in ("whole", "halves")]
    whole, halves = (torch.load(path, weights_only=True) for path in paths)
    assert whole["global_step"] == halves["global_step"] == 8
    assert all(group["lr"] == 0 for group in whole["optimizer_states"][0]["param_groups"])
    assert all(torch.equal(halves["state_dict"][name], value) for name, value in whole["state_dict"].items())


def test_a_shortened_run_continues_with_larger_batches_for_as_many_steps(
    dataset: Path, tokenizer: Path, here: Path
) -> None:
    words = ["fit", *options("sample", dataset, tokenizer), "--trainer.max_steps=32", "--trainer.val_check_interval=16"]
    words += ["--model.max_passes=2", "--model.warmup_steps=1", "--trainer.logger=false", "--run=a"]
    with pytest.raises(RuntimeError, match="broken"):
        main([*words, *interrupt_at("step", 5, "raise")])  # 8 steps of 8 of the 32 clips
    assert main([*words, "--data.batch_size=16"]) == 0
    content = torch.load(here / "runs/sample/a/checkpoints/last.ckpt", weights_only=True)
    assert (content["global_step"], content["clips_per_step"]) == (8, 8)
    assert all(group["lr"] == 0 for group in content["optimizer_states"][0]["param_groups"])
