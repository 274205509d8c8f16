"""A mistake in a config or in an option of a training command is answered with the right name."""

from pathlib import Path

import pytest

from tests.conftest import Run
from trajvq.cli import main
from trajvq.commands.messages import first_problem

UNKNOWN = {
    "a class's own": (
        "--model.learnig_rate=3",
        "Reconstruct has no option 'learnig_rate'; did you mean learning_rate?",
    ),
    "an inner class's": ("--model.tokenizer.widht=3", "CausalTokenizer has no option 'widht'; did you mean width?"),
    "a group": ("--datas.path=x", "unknown option --datas.path; did you mean --data.path?"),
    "a plain one": ("--run_rot=x", "unknown option --run_rot; did you mean --run_root?"),
    "an abbreviation": ("--trainer.max_step=1", "unknown option --trainer.max_step; did you mean --trainer.max_steps?"),
    "a class": ("--model.loss=PlainLos", "there is no class PlainLos; did you mean PlainLoss?"),
    "a class by path": (
        "--model.loss=trajvq.losses.PlainLos",
        "Problem with given class_path 'trajvq.losses.PlainLos': module 'trajvq.losses' has no attribute 'PlainLos'",
    ),
}
RENAMED = {
    "an option": (["recon", "--model.tokenizer.thin=3"], "model.tokenizer.thin is now model.tokenizer.frame_channels"),
    "an option of data": (["classify", "--data.places=true"], "data.places is now data.tracks"),
    "a moved option": (
        ["sample", "--model.network.unlabelled=0.1"],
        "model.network.unlabelled is now model.class_dropout",
    ),
    "a config": (["sample", "--config", "old.yaml"], "model.network.reach is now model.network.tokens.radius"),
    "a value": (
        ["recon", "--model.augment.symmetries=true"],
        "symmetries of ObjectWindows takes `auto` instead of true, `[]` instead of false, "
        "or a list such as `[columns, rows]`",
    ),
    "a class": (["forecast", "--model.network=Forecaster"], "class Forecaster is now Generator"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_the_most_similar_name_is_suggested(fit: Run, capsys: pytest.CaptureFixture[str], case: str) -> None:
    argument, message = UNKNOWN[case]
    assert fit(argument) == 2
    assert capsys.readouterr().err.strip() == f"trajvq: {message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("trainer:\n  max_stepz: 1\n", "unknown option --trainer.max_stepz; did you mean --trainer.max_steps?"),
        ("run_rot: x\n", "unknown option --run_rot; did you mean --run_root?"),
        ("datas:\n  path: x\n", "unknown option --datas.path; did you mean --data.path?"),
    ],
)
def test_the_most_similar_key_of_a_config_is_suggested(
    fit: Run, here: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    (here / "more.yaml").write_text(content, encoding="utf-8")
    assert fit("--config=more.yaml") == 2
    assert capsys.readouterr().err.strip() == f"trajvq: {message}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "${oc.env:TRAJVQ_STEPS}",
            "trainer.max_steps: Environment variable 'TRAJVQ_STEPS' not found; set it, or write "
            "${oc.env:TRAJVQ_STEPS,DEFAULT}",
        ),
        ("${oc.evn:STEPS}", "trainer.max_steps: Unsupported interpolation type oc.evn; correct its ${...}"),
        ("${trainer.stepz}", "trainer.max_steps: "),
    ],
)
def test_an_interpolation_that_cannot_be_resolved_is_named(
    fit: Run, here: Path, capsys: pytest.CaptureFixture[str], value: str, message: str
) -> None:
    (here / "more.yaml").write_text(f"trainer:\n  max_steps: {value}\n", encoding="utf-8")
    assert fit("--config=more.yaml") == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"trajvq: {message}")
    assert printed.count("\n") == 1


def test_options_that_a_task_passes_on_to_its_bases_are_suggested_too(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", "sample", "--model.learnig_rate=3"]) == 2
    message = "trajvq: Sample has no option 'learnig_rate'; did you mean learning_rate?"
    assert capsys.readouterr().err.strip() == message


@pytest.mark.parametrize("case", RENAMED)
def test_an_old_name_is_answered_with_the_new_one(here: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    arguments, message = RENAMED[case]
    (here / "old.yaml").write_text("model: {init_args: {network: {init_args: {reach: 0.5}}}}\n")
    assert main(["fit", "--config", *arguments]) == 2
    assert capsys.readouterr().err.strip() == f"trajvq: {message}"


def test_the_other_types_that_a_value_may_have_are_left_out() -> None:
    message = "It is not installed\n- Expected a <class 'bool'>\n- Expected a <class 'collections.abc.Iterable'>"
    assert first_problem(ValueError(message)) == "It is not installed"
    assert first_problem(ValueError("Expected a <class 'bool'>")) == "Expected a <class 'bool'>"
