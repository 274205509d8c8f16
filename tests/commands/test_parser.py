"""A mistake on a command line is answered with the right name."""

import pytest

from trajvq.cli import main

MISTAKES = {
    "nothing": (["fit"], "nothing says what to fit: give a config, such as `--config recon`"),
    "preset": (["data", "generate", "--out", "x", "--preset", "hrd"], "unknown preset 'hrd'; did you mean hard?"),
    "fitt": (["fitt"], "unknown command 'fitt'; did you mean fit?"),
    "data": (["data", "generat"], "unknown 'generat'; did you mean generate?"),
    "generate": (["data", "generate", "--ot", "x"], "unknown option --ot; did you mean --out?"),
    "score": (["score", "f.npz", "--dta", "x"], "unknown option --dta; did you mean --data?"),
    "report": (["report", "x", "--outt=y"], "unknown option --outt; did you mean --out?"),
    "config": (["fit", "--config", "recn"], "there is no config recn; did you mean recon?"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_the_most_similar_name_is_suggested(capsys: pytest.CaptureFixture[str], case: str) -> None:
    arguments, message = MISTAKES[case]
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"trajvq: {message}")
