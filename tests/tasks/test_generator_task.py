"""What tasks on tokens share: a run continues exactly, and with ``trajectory: auto`` it keeps to what it chose."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.interruptions import interrupt_at
from tests.toy_runs import EXTRA, SHORT, options
from trajvq.cli import main
from trajvq.models import Generator, PolynomialTrajectory
from trajvq.models.token_model import Conditions
from trajvq.tasks import generator_task
from trajvq.tasks.trajectory_choice import TrajectoryChoice
from trajvq.tokens.sampling import load_generator


@pytest.mark.parametrize("task", ["sample", "forecast"])
def test_a_trajectory_that_cannot_be_tracked_is_left_out_and_stays_out(
    task: str,
    dataset: Path,
    tokenizer: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    progress, likelihood = [], Generator.token_log_likelihood

    def keep(network: Generator, tokens: Tensor, conditions: Conditions) -> dict[str, Tensor]:
        if network.training:
            progress.append(conditions.progress)
        return likelihood(network, tokens, conditions)

    monkeypatch.setattr(Generator, "token_log_likelihood", keep)
    words = [*options(task, dataset, tokenizer), "--model.trajectory=auto", "--trainer.logger=false", "--run=a"]
    assert main(["fit", *words, *SHORT]) == 0
    output = capsys.readouterr().out
    assert "trajectory: left out, clips are modeled by tokens alone; in 32 decoded" in output
    assert "tracking the reconstructions" not in output  # nothing learns from them
    assert progress == [0.0, 0.25, 0.5, 0.75]
    run = here / "runs" / task / "a"
    content = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert all(name.startswith("network.tokens.") for name in content["state_dict"])
    assert content["hyper_parameters"]["network"]["init_args"]["trajectory"] is None
    assert "left out" in (run / "provenance.json").read_text()
    if task == "sample":
        settings = {name: content["hyper_parameters"][name] for name in ("temperature", "noise_scale")}
        assert settings == {"temperature": 1.0, "noise_scale": 1.0}
        assert load_generator(run / "checkpoints/last.ckpt").network.trajectory is None
    assert main(["validate", *words, "--model.total_steps=4"]) == 0


@pytest.mark.parametrize("task", ["sample", "classify"])
def test_a_network_that_cannot_be_built_is_an_error_of_one_line(
    task: str, dataset: Path, tokenizer: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = "network.tokens" if task == "sample" else "network"
    words = [f"--model.{part}.width=30", f"--model.{part}.heads=4", "--trainer.logger=false", "--run=a"]
    assert main(["fit", *options(task, dataset, tokenizer), *SHORT, *words]) == 2
    said = capsys.readouterr().err
    assert "model.network cannot be built: a width of 30 does not divide into 4 heads; give a multiple of them" in said
    assert said.count("\n") == 1


def test_what_a_trajectory_model_chose_in_training_is_what_is_tested(
    dataset: Path, tokenizer: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = []

    def choose(network: PolynomialTrajectory, tracks: Tensor, symmetric: bool) -> str:
        assert tracks.shape == (32, 8, 2)
        network.coefficients, network.sizes, network.track_noise = 3, [0.9, 0.5, 0.1], 0.01
        return "paths: as chosen"

    monkeypatch.setattr(PolynomialTrajectory, "adapt", choose)
    small = [option for option in options("sample", dataset, tokenizer) if "trajectory." not in option]
    words = [*small, "--model.network.trajectory=PolynomialTrajectory", "--model.network.trajectory.width=16"]
    words += ["--trainer.logger=false", "--run=a"]
    assert main(["fit", *words, *SHORT]) == 0
    run = here / "runs/sample/a"
    assert "as chosen" in (run / "provenance.json").read_text()
    snap = PolynomialTrajectory.snap

    def keep(network: PolynomialTrajectory, tracks: Tensor) -> Tensor:
        tested.append(network)
        return snap(network, tracks)

    monkeypatch.setattr(PolynomialTrajectory, "snap", keep)
    assert main(["validate", *words, "--model.total_steps=4"]) == 0
    network = load_generator(run / "checkpoints/last.ckpt").network.trajectory
    for trajectory in (tested[-1], network):
        assert isinstance(trajectory, PolynomialTrajectory)
        assert (trajectory.count, trajectory.sizes, trajectory.track_noise) == (3, [0.9, 0.5, 0.1], 0.01)


@pytest.mark.parametrize("task", ["sample", "forecast"])
def test_several_objects_are_trained_and_taken_over_from_the_checkpoint(
    task: str, dataset: Path, tokenizer: Path, here: Path
) -> None:
    words = [*options(task, dataset, tokenizer), "--trainer.logger=false", "--run=a"]
    assert main(["fit", *words, *SHORT, "--model.network.objects=2"]) == 0
    content = torch.load(here / "runs" / task / "a/checkpoints/last.ckpt", weights_only=True)
    assert content["hyper_parameters"]["network"]["init_args"]["objects"] == 2
    assert content["state_dict"]["network.number"].shape[1] == 2
    assert list((here / "runs/tokens").rglob("train*-tracks-2.h5"))
    assert main(["validate", *words, "--model.total_steps=4"]) == 0
    assert main(["test", *words, "--model.total_steps=4"]) == 0


@pytest.mark.parametrize("task", ["sample", "forecast"])
def test_a_checkpoint_loads_with_the_number_of_objects_that_the_training_chose(
    task: str, dataset: Path, tokenizer: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = TrajectoryChoice(torch.zeros(16, 8, 2), 8, 0.0, 1.0, objects=2)
    monkeypatch.setattr(generator_task, "look_at", lambda *_: choice)
    words = [*options(task, dataset, tokenizer), "--model.trajectory=auto", "--trainer.logger=false", "--run=a"]
    assert main(["fit", *words, *SHORT]) == 0
    path = here / "runs" / task / "a/checkpoints/last.ckpt"
    loaded, stored = load_generator(path), torch.load(path, weights_only=True)["state_dict"]
    assert (loaded.network.count, len(loaded.classes)) == (2, 4 if task == "sample" else 0)
    assert all(torch.equal(value, stored[f"network.{name}"]) for name, value in loaded.network.state_dict().items())


@pytest.mark.parametrize("task", ["classify", "sample", "forecast"])
def test_stopped_and_resumed_is_the_same_to_the_bit(
    task: str, dataset: Path, tokenizer: Path, here: Path, request: pytest.FixtureRequest
) -> None:
    words = ["fit", *options(task, dataset, tokenizer), *SHORT, *EXTRA.get(task, [])]
    words += ["--trainer.logger=false", "--run=halves"]
    with pytest.raises(RuntimeError, match="broken"):
        main([*words, *interrupt_at("step", 3, "raise")])
    path = here / "runs" / task / "halves/checkpoints/last.ckpt"
    assert torch.load(path, weights_only=True)["global_step"] == 3
    assert main(words) == 0
    runs = request.getfixturevalue(f"{task}_run") / "checkpoints/last.ckpt", path
    whole, halves = (torch.load(run, weights_only=True) for run in runs)
    assert whole["global_step"] == halves["global_step"] == 4
    for part in ("state_dict", "current_model_state"):
        assert all(torch.equal(halves[part][name], value) for name, value in whole[part].items()), part
