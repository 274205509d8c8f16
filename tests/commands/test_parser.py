"""A wrong word is answered with the right one."""

import pytest

from tests.conftest import Run
from trajvq.cli import main

TRAINING = {
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
OTHERS = {
    "nothing": (["fit"], "nothing says what to fit: give a config, such as `--config recon`"),
    "preset": (["data", "generate", "--out", "x", "--preset", "hrd"], "unknown preset 'hrd'; did you mean hard?"),
    "fitt": (["fitt"], "unknown command 'fitt'; did you mean fit?"),
    "data": (["data", "generat"], "unknown 'generat'; did you mean generate?"),
    "generate": (["data", "generate", "--ot", "x"], "unknown option --ot; did you mean --out?"),
    "score": (["score", "f.npz", "--dta", "x"], "unknown option --dta; did you mean --data?"),
    "report": (["report", "x", "--outt=y"], "unknown option --outt; did you mean --out?"),
    "config": (["fit", "--config", "recn"], "there is no config recn; did you mean recon?"),
}


@pytest.mark.parametrize("case", TRAINING)
def test_the_nearest_option_of_training_is_named(fit: Run, capsys: pytest.CaptureFixture[str], case: str) -> None:
    given, said = TRAINING[case]
    assert fit(given) == 2
    assert capsys.readouterr().err.strip() == f"trajvq: {said}"


@pytest.mark.parametrize("case", OTHERS)
def test_the_nearest_word_of_other_commands_is_named(capsys: pytest.CaptureFixture[str], case: str) -> None:
    given, said = OTHERS[case]
    assert main(given) == 2
    assert capsys.readouterr().err.startswith(f"trajvq: {said}")
