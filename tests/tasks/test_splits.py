"""Every task scores any split of the dataset, ``train`` too, and each once."""

import json
from pathlib import Path

import pytest

from tests.toy_runs import copy_run, options
from trajvq.cli import main
from trajvq.tasks import sample_scoreboard
from trajvq.tasks.tracks import TrackTraining


@pytest.mark.parametrize("task", ["recon", "classify", "sample", "forecast"])
def test_train_is_scored_and_a_split_named_twice_once(
    task: str,
    request: pytest.FixtureRequest,
    dataset: Path,
    tokenizer: Path,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sample_scoreboard, "GAN", TrackTraining(steps=10))
    run = copy_run(request.getfixturevalue(f"{task}_run"), here)
    common = options(task, dataset, None if task == "recon" else tokenizer)
    steps = [] if task == "recon" else ["--model.total_steps=4"]
    assert main(["test", *common, *steps, "--data.test_splits=[train,test,train]"]) == 0
    boards = [json.loads((run / f"scoreboards/{split}.json").read_text()) for split in ("train", "test")]
    assert [board["clips"] for board in boards] == ([24, 24] if task == "sample" else [32, 12])
