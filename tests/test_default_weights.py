"""The commands that make the package's weights: resumable, and what they write is what `default` reads."""

import json
from pathlib import Path

import pytest
import torch

import trajvq
from tests.scripts import load
from tests.toy_runs import SMALL
from trajvq.cli import main
from trajvq.io.checkpoint import read_checkpoint
from trajvq.tokens import FrozenTokenizer, task_weights, weights
from trajvq.tokens.export import write_folder
from trajvq.tokens.protocol import spec_of

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


def test_tasks_are_trained_tested_and_made_slim_once(
    dataset: Path, tokenizer: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = trajvq.load_tokenizer(tokenizer)
    write_folder(network, spec_of(network), {"skill": 0.5}, here / "default")
    monkeypatch.setattr(weights, "FOLDER", here / "default")
    monkeypatch.setattr(task_weights, "FOLDER", here / "tasks")
    script, verbs = load("weights/make_tasks.py", monkeypatch), []

    def run(*words: str) -> None:
        verbs.append(words[0])
        assert main(words) == 0

    monkeypatch.setattr(script, "trajvq", run)
    for _ in range(2):
        script.make("classify", here / "tasks", here / "runs", 4, [*SMALL["classify"], f"--data.path={dataset}"])
        script.write_table(here / "tasks")
    assert verbs == ["fit", "test"]
    content = read_checkpoint(task_weights.default_checkpoint("classify"))
    assert {value.dtype for value in content["state_dict"].values()} == {torch.float16}
    board = json.loads((here / "runs/classify-4/scoreboards/test.json").read_text())
    assert board["checkpoint"].endswith("slim.ckpt")  # what is written is what is scored
    assert content["tokenizer"] == FrozenTokenizer("default").identity()
    assert content["about"]["dataset"] == content["trajvq"]["dataset"]
    accuracy = board["rows"]["model"]["accuracy"]
    text = f"{accuracy['value']:.4f} ({accuracy['low']:.4f} to {accuracy['high']:.4f})"
    assert content["test"]["figures"]["accuracy"] == text
    readme = (here / "tasks/README.md").read_text()
    assert f"| accuracy | {text} |" in readme
    assert f"## classify\n\n12 clips; step {content['global_step']}, best val/accuracy " in readme
    assert str(here) not in readme


def test_a_command_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    script = load("weights/make_default.py", monkeypatch)
    with pytest.raises(SystemExit, match="trajvq data ended with exit code 2"):
        script.trajvq("data", "nothing")
