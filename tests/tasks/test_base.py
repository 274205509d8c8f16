"""A run may start from existing weights; it says so, keeps it in mind, and does it once."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import Run
from tests.interruptions import interrupt_at
from tests.toy_runs import SHORT, SMALL
from trajvq.cli import main
from trajvq.tokens import task_weights, weights

ONE_STEP = ["--trainer.max_steps=1", "--trainer.val_check_interval=1"]
NO_STEP = ["--model.learning_rate=0", "--model.matrix_learning_rate=null", "--model.weight_decay=0"]


def state(run: Path, part: str = "current_model_state") -> dict[str, Any]:
    """Return the weights of a run's last step; ``state_dict`` is their moving average."""
    content: dict[str, Any] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    return {name: value for name, value in content[part].items() if name.startswith(("tokenizer.", "network."))}


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def provenance(run: Path) -> list[dict[str, Any]]:
    commands: list[dict[str, Any]] = json.loads((run / "provenance.json").read_text())["commands"]
    return commands


def test_a_run_starts_from_a_checkpoint_a_folder_and_default_alike(
    finished: Path, fit: Run, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = finished / "checkpoints/last.ckpt"
    assert main(["export", f"--ckpt_path={checkpoint}", "--out=shared", "--no-chart"]) == 0
    monkeypatch.setattr(weights, "FOLDER", here / "shared")
    for name, source in (("b", str(checkpoint)), ("c", "shared"), ("d", "default"), ("e", "null")):
        capsys.readouterr()
        assert fit(f"--run={name}", f"--model.init_from={source}", "--seed_everything=1", *NO_STEP, *ONE_STEP) == 0
        run, said = here / "runs/recon" / name, capsys.readouterr().out
        assert said.count("starts from") == (name != "e")
        assert same(state(run), state(finished, "state_dict")) == (name != "e"), name
        sources = provenance(run)[-1]
        assert ("init_from" in sources) == (name != "e")
        if name == "d":
            assert "starts from default (sha256 " in said
            assert sources["init_from"]["path"] == "default"
            assert sources["init_from"]["sha256"][:12] in said


def test_a_resumed_run_neither_needs_nor_reads_them_again(
    finished: Path, fit: Run, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(finished / "checkpoints/last.ckpt", here / "start.ckpt")
    start = "--model.init_from=start.ckpt"
    assert fit("--run=whole", start) == 0
    assert fit("--run=b", start, *interrupt_at("step", 3, "SIGTERM")) == 143
    (here / "start.ckpt").unlink()
    capsys.readouterr()
    assert fit("--run=b", start) == 0
    assert "starts from" not in capsys.readouterr().out
    whole, resumed = here / "runs/recon/whole", here / "runs/recon/b"
    assert same(state(whole), state(resumed))
    first, again = provenance(resumed)
    assert first["init_from"] == again["init_from"] == provenance(whole)[0]["init_from"]
    (resumed / "complete.json").unlink()
    assert fit("--run=b", "--model.init_from=other.ckpt") == 2
    assert "began with other weights (model.init_args.init_from: start.ckpt -> other.ckpt)" in capsys.readouterr().err


def test_a_run_of_an_older_version_without_the_option_continues(finished: Path, fit: Run) -> None:
    config = finished / "config.yaml"
    config.write_text("".join(line for line in config.open() if "init_from" not in line))
    (finished / "complete.json").unlink()
    assert fit("--run=a", "--trainer.max_steps=5") == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model.init_from=none.ckpt"], "there is no checkpoint none.ckpt"),
        (["--model.init_from=LAST", "--model.tokenizer.width=24"], "model.tokenizer.width is 24, theirs 16; set"),
        (["--model.init_from=LAST", "--ckpt_path=LAST"], "--ckpt_path and model.init_from both give the weights"),
    ],
)
def test_mistakes_are_one_line(
    finished: Path, fit: Run, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    last = str(finished / "checkpoints/last.ckpt")
    assert fit("--run=b", *(option.replace("LAST", last) for option in options)) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_task_on_tokens_starts_from_a_checkpoint_of_its_own(
    classify_run: Path,
    recon_run: Path,
    tokenizer: Path,
    dataset: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_weights, "FOLDER", here / "none")
    common = [
        "--config=classify",
        "--data.versions=1",
        f"--data.path={dataset}",
        f"--model.tokenizer_ckpt={tokenizer}",
        *SHORT,
    ]
    common += [*SMALL["classify"], "--trainer.logger=false", "--model.learning_rate=0", "--model.weight_decay=0"]
    last = classify_run / "checkpoints/last.ckpt"
    assert main(["fit", *common, "--run=b", f"--model.init_from={last}", "--seed_everything=1"]) == 0
    assert same(state(here / "runs/classify/b"), state(classify_run, "state_dict"))
    assert f"starts from {last} (sha256 " in capsys.readouterr().out
    recon = recon_run / "checkpoints/last.ckpt"
    for source, words in (
        ("default", "this trajvq has no default weights of classify"),
        (str(recon), "is no checkpoint of classify"),
    ):
        assert main(["fit", *common, "--run=c", f"--model.init_from={source}"]) == 2
        assert words in capsys.readouterr().err
    assert main(["fit", *common, "--run=c", f"--model.init_from={last}", "--model.network.hidden=16"]) == 2
    assert "model.network.hidden is 16, theirs 32; set model.network.hidden" in capsys.readouterr().err
