"""The command that makes the package's weights: resumable, and what it writes is what `default` reads."""

import json
from pathlib import Path

import pytest

import trajvq
from tests.scripts import load
from trajvq.cli import main
from trajvq.tokens import weights

TOY = ["--model.tokenizer.width=16", "--data.batch_size=4", "--collapse.on_collapse=warn"]


def test_the_command_trains_tests_and_exports_once(
    dataset: Path, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, verbs = load("weights/make_default.py", monkeypatch), []

    def run(*words: str) -> None:
        verbs.append(words[0])
        assert main(words) == 0

    monkeypatch.setattr(script, "trajvq", run)
    monkeypatch.setattr(weights, "FOLDER", here / "package/default")
    for _ in range(2):
        script.make(weights.FOLDER, here / "runs/weights", 4, [*TOY, f"--data.path={dataset}"])
    assert verbs == ["fit", "test", "export", "export"]
    content = json.loads((weights.FOLDER / "config.json").read_text())
    assert content["about"]["name"] == "default"
    assert content["about"]["step"] in range(1, 5)  # that of best.ckpt
    assert {"skill", "visible", "centroid_error"} <= content["test"]["figures"].keys()
    assert trajvq.load_tokenizer("default").codebook_size == 1000
    assert "card:" in capsys.readouterr().out


def test_a_command_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    script = load("weights/make_default.py", monkeypatch)
    with pytest.raises(SystemExit, match="trajvq data ended with exit code 2"):
        script.trajvq("data", "nothing")
