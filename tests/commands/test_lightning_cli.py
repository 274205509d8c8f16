"""A task is any LightningModule: it may name its monitor and its callbacks, and needs to name nothing."""

import json
from pathlib import Path

import h5py
import pytest
import torch

from trajvq.cli import main

TASK = '''
import json
from pathlib import Path

import lightning as L
import torch

from trajvq.callbacks import ReconstructionStrips


class Plain(L.LightningModule):
    """Learns the mean brightness of clips."""

    def __init__(self):
        super().__init__()
        self.gray = torch.nn.Parameter(torch.zeros(()))

    def loss(self, batch):
        return (self.gray - batch["video"].mean()).square()

    def training_step(self, batch, batch_idx):
        return self.loss(batch)

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.loss(batch))

    def test_step(self, batch, batch_idx):
        self.log("test/loss", self.loss(batch))

    def predict_step(self, batch, batch_idx):
        return {"index": batch["index"], "video": self.gray.expand_as(batch["video"])}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Bare(Plain):
    """The same with predictions that are no dictionaries."""

    def predict_step(self, batch, batch_idx):
        return self.gray.expand_as(batch["video"])


class Watch(L.Callback):
    """Counts validations, and writes down which callbacks there are."""

    validations = 0

    def on_fit_start(self, trainer, pl_module):
        names = [[type(c).__name__, getattr(c, "clips", None)] for c in trainer.callbacks]
        Path("callbacks.json").write_text(json.dumps({"names": names, "validations": self.validations}))

    def on_validation_end(self, trainer, pl_module):
        self.validations += 1

    def state_dict(self):
        return {"validations": self.validations}

    def load_state_dict(self, state_dict):
        self.validations = state_dict["validations"]


class Own(Plain):
    """The same with a monitor and callbacks of its own."""

    task, monitor = "gray", "val/loss"

    def configure_callbacks(self):
        return [Watch(), ReconstructionStrips(clips=2)]
'''
CONFIG = """
run_root: runs/{name}
model: {{class_path: gray.{name}}}
data: {{class_path: TrajectoryDataModule, init_args: {{path: {dataset}, batch_size: 4}}}}
trainer: {{max_steps: 4, val_check_interval: 2, check_val_every_n_epoch: null, num_sanity_val_steps: 0, logger: false}}
"""


@pytest.fixture
def config(here: Path, dataset: Path, request: pytest.FixtureRequest) -> str:
    """A config of the task that the test names."""
    (here / "gray.py").write_text(TASK)
    (here / "gray.yaml").write_text(CONFIG.format(name=request.param, dataset=dataset))
    return "--config=gray.yaml"


@pytest.mark.parametrize("config", ["Plain"], indirect=True)
def test_a_task_that_names_nothing_runs(config: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", config, "--run=a"]) == 0
    assert "the task has no monitor, so runs/Plain/a has no best.ckpt" in capsys.readouterr().out
    last = "--ckpt_path=runs/Plain/a/checkpoints/last.ckpt"
    assert main(["validate", config, last]) == 0
    assert main(["test", config, last]) == 0
    assert "test/loss" in capsys.readouterr().out  # there is no scoreboard, so Lightning prints its table
    assert main(["predict", config, last]) == 0
    with h5py.File(here / "runs/Plain/a/predictions.h5") as file:
        assert file["index"][:].tolist() == list(range(12))
    assert not (here / "runs/Plain/a/media").exists()  # there are no reconstructions to show


@pytest.mark.parametrize("config", ["Bare"], indirect=True)
def test_predictions_that_cannot_be_written_are_one_line(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", config, "--run=a", "--trainer.max_steps=1", "--trainer.val_check_interval=1"]) == 0
    assert main(["predict", config, "--ckpt_path=runs/Bare/a/checkpoints/last.ckpt"]) == 2
    assert "trajvq: Bare.predict_step returns Tensor" in capsys.readouterr().err


@pytest.mark.parametrize("config", ["Own"], indirect=True)
def test_callbacks_of_a_task_come_before_the_mirror_and_continue_with_the_run(config: str, here: Path) -> None:
    assert main(["fit", config, "--run=a", "--trainer.max_steps=2"]) == 0
    written = json.loads((here / "callbacks.json").read_text())
    names = [name for name, _ in written["names"]]
    assert names[-3:] == ["ModelCheckpoint", "LastCheckpoint", "RemoteMirror"]
    assert names.count("Watch") == 1
    assert [clips for name, clips in written["names"] if name == "ReconstructionStrips"] == [2]  # it replaces the usual
    assert written["validations"] == 0
    (here / "runs/Own/a/complete.json").unlink()
    assert main(["fit", config, "--run=a"]) == 0
    assert json.loads((here / "callbacks.json").read_text())["validations"] == 1
    content = torch.load(here / "runs/Own/a/checkpoints/last.ckpt", weights_only=True)
    assert content["callbacks"]["Watch"] == {"validations": 2}


@pytest.mark.parametrize("config", ["Own"], indirect=True)
@pytest.mark.parametrize(("mode", "step"), [(None, 4), ("max", 2)])
def test_the_direction_of_a_monitor_is_that_of_its_figure_unless_the_task_names_one(
    config: str, here: Path, mode: str | None, step: int
) -> None:
    if mode:
        (here / "gray.py").write_text(TASK + f'    monitor_mode = "{mode}"\n')
    assert main(["fit", config, "--run=a"]) == 0  # val/loss falls, and lower is better
    best = torch.load(here / "runs/Own/a/checkpoints/best.ckpt", weights_only=True)
    assert best["global_step"] == step
