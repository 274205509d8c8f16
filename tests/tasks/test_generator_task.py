"""What tasks that train a generator share: with ``trajectory: auto`` a run keeps to what it chose."""

from pathlib import Path

import pytest
import torch

from tests.toy_runs import SHORT, options
from trajvq.cli import main
from trajvq.tokens.sampling import load_generator


@pytest.mark.parametrize("task", ["sample", "forecast"])
def test_a_trajectory_that_cannot_be_tracked_is_left_out_and_stays_out(
    task: str, dataset: Path, tokenizer: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*options(task, dataset, tokenizer), "--model.trajectory=auto", "--trainer.logger=false", "--run=a"]
    assert main(["fit", *words, *SHORT]) == 0
    assert "trajectory: left out, clips are modeled by tokens alone; in 32 decoded" in capsys.readouterr().out
    run = here / "runs" / task / "a"
    content = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert all(name.startswith("network.tokens.") for name in content["state_dict"])
    assert content["hyper_parameters"]["network"]["init_args"]["trajectory"] is None
    assert "left out" in (run / "provenance.json").read_text()
    if task == "sample":
        assert load_generator(run / "checkpoints/last.ckpt").network.trajectory is None
    assert main(["validate", *words, "--model.total_steps=4"]) == 0
