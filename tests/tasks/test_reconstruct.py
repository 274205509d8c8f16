"""A training adapts to its clips once, says how, and keeps it in everything that comes from it."""

import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.commands.test_fit import NETWORK
from tests.conftest import Run
from tests.interruptions import interrupt_at
from tests.toy_runs import EXTRA, SHORT, SMALL, options
from trajvq.adaptation import Adaptation
from trajvq.augment import ObjectWindows
from trajvq.cli import main
from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.generate import generate
from trajvq.io.video import to_float
from trajvq.models import CausalTokenizer
from trajvq.tasks import Reconstruct, reconstruct
from trajvq.tokens import FrozenTokenizer, load_tokenizer
from trajvq.tokens.protocol import build

STATES = ("state_dict", "current_model_state", "averaging_state")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of white squares before one textured background, 8 frames of 32 x 32. Do not change it."""
    folder, random = tmp_path_factory.mktemp("film"), np.random.default_rng(0)
    texture = np.kron(random.integers(40, 150, (8, 8, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    video = np.broadcast_to(texture, (40, 8, 32, 32, 3)).copy()
    for clip in video:
        y, x = random.integers(1, 14, 2)
        for time, frame in enumerate(clip):
            frame[y + time : y + time + 5, x + time : x + time + 5] = 255
    np.savez(folder / "film.npz", video=video)
    assert main(["data", "import-videos", str(folder / "film.npz"), f"--out={folder / 'data'}", "--axes=NTHWC"]) == 0
    return folder / "data"


@pytest.fixture(scope="module")
def film_run(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run on it. What it printed is in ``output.txt``. Do not change it."""
    folder = tmp_path_factory.mktemp("film_run")
    with pytest.MonkeyPatch.context() as patch, (folder / "output.txt").open("w") as output, redirect_stdout(output):
        patch.chdir(folder)
        quiet = [*EXTRA["recon"], "--trainer.logger=false", "--run=a"]
        assert main(["fit", *options("recon", film), *SHORT, *quiet]) == 0
    return folder / "runs/recon/a"


def checkpoint(run: Path, name: str = "last") -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / f"checkpoints/{name}.ckpt", weights_only=True)
    return content


def background(run: Path) -> Tensor:
    value: Tensor = checkpoint(run)["state_dict"]["tokenizer.normalization.background"]
    return value


def lines_of(output: str) -> list[str]:
    names = ("normalization: ", "backgrounds: ", "symmetries: ", "augmentation: ")
    return [line for line in output.splitlines() if line.startswith(names)]


def test_a_run_says_how_it_adapts_and_keeps_it(film_run: Path) -> None:
    lines = lines_of((film_run.parents[2] / "output.txt").read_text())
    assert len(lines) == 4
    assert "background picture of their fixed camera" in lines[0]
    assert "windows anywhere in 50% of the batches" in lines[3]
    assert json.loads((film_run / "provenance.json").read_text())["commands"][0]["adapted"] == lines
    content = checkpoint(film_run)
    stored = Adaptation(**content["adaptation"])
    assert stored.fixed_camera
    for part, precision in (("state_dict", 2e-6), ("current_model_state", 0)):  # averaging rounds
        for name in ("background", "contrast"):
            value, wanted = content[part][f"tokenizer.normalization.{name}"], torch.as_tensor(getattr(stored, name))
            torch.testing.assert_close(value, wanted, rtol=precision, atol=0)
    module = Reconstruct.load_from_checkpoint(film_run / "checkpoints/last.ckpt", weights_only=True)
    assert isinstance(module.augment, ObjectWindows)
    assert module.augment.turns == stored.symmetries
    assert module.adapted == lines


def test_a_resumed_run_keeps_the_first_answer_and_does_not_look_at_the_clips_again(
    film: Path,
    film_run: Path,
    fit: Run,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = f"--data.path={film}"
    assert fit("--run=b", data, *interrupt_at("step", 3, "SIGTERM")) == 143
    capsys.readouterr()

    def look_again(_: Any) -> Adaptation:
        raise AssertionError("the clips were looked at again")

    monkeypatch.setattr(reconstruct, "adapt", look_again)
    assert fit("--run=b", data) == 0
    assert not lines_of(capsys.readouterr().out)
    first, second = checkpoint(film_run), checkpoint(here / "runs/recon/b")
    for part in STATES:
        assert all(torch.equal(first[part][key], second[part][key]) for key in first[part]), part
    assert torch.equal(first["adaptation"]["background"], second["adaptation"]["background"])
    commands = json.loads((here / "runs/recon/b/provenance.json").read_text())["commands"]
    assert commands[0]["adapted"] == commands[1]["adapted"]


def test_a_run_from_other_weights_is_normalized_by_its_own_clips(
    dataset: Path, film: Path, film_run: Path, fit: Run, here: Path
) -> None:
    runs = here / "runs/recon"
    start = f"--model.init_from={film_run / 'checkpoints/last.ckpt'}"
    assert fit("--run=discs", f"--data.path={dataset}", start) == 0
    assert background(runs / "discs").flatten().tolist() == [1.0, 1.0, 1.0]
    start = f"--model.init_from={runs / 'discs/checkpoints/last.ckpt'}"
    assert fit("--run=film", f"--data.path={film}", start) == 0
    torch.testing.assert_close(background(runs / "film"), background(film_run))


def test_tests_exports_and_frozen_tokenizers_keep_a_picture(
    film: Path, film_run: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(film_run, here / "runs/recon/a")
    path = here / "runs/recon/a/checkpoints/best.ckpt"
    common = ["--config=recon", *SMALL["recon"]]
    assert main(["test", *common, f"--data.path={film}", f"--ckpt_path={path}"]) == 0
    assert main(["export", f"--ckpt_path={path}", "--out=shared", "--no-chart"]) == 0
    video = to_float(Clips(film, "test").batch([0, 1])["video"])
    with torch.no_grad():
        tokens = load_tokenizer(path).encode(video)  # type: ignore[operator]
        assert torch.equal(load_tokenizer(here / "shared").encode(video), tokens)  # type: ignore[operator]
    content = checkpoint(film_run, "best")
    for state in content["callbacks"].values():
        if "current_score" in state:
            state["current_score"] = torch.tensor(0.5)
    torch.save(content, here / "good.ckpt")
    assert torch.equal(FrozenTokenizer("good.ckpt").encode(video), tokens)
    generate(here / "small", {"train": 4, "val": 2, "test": 2}, frames=8, size=16)
    capsys.readouterr()
    assert main(["test", *common, "--data.path=small", f"--ckpt_path={path}"]) == 2
    said = capsys.readouterr().err
    assert "a fixed camera, 32x32 (height x width), and the clips are 16x16; give clips of its size" in said
    assert said.count("\n") == 1


class Recorder(nn.Module):
    """A mean squared error that keeps what it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Tensor, Tensor]] = []

    def forward(self, reconstruction: Tensor, video: Tensor, background: Tensor) -> Tensor:
        self.calls.append((video, background))
        return (reconstruction - video).square().mean()


def calls_of(model: Reconstruct) -> list[tuple[Tensor, Tensor]]:
    assert isinstance(model.loss, Recorder)
    return model.loss.calls


def trained(tokenizer: nn.Module, path: Path, augment: nn.Module | None = None) -> tuple[Reconstruct, L.Trainer]:
    """Train for a step without the command line."""
    model = Reconstruct(tokenizer, Recorder(), total_steps=1, augment=augment)
    settings: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    trainer = L.Trainer(
        max_steps=1, accelerator="cpu", limit_val_batches=0, enable_progress_bar=False, log_every_n_steps=1, **settings
    )
    trainer.fit(model, TrajectoryDataModule(path, batch_size=4))
    return model, trainer


def test_tokenizers_without_normalization_train_on_clips_in_0_to_1(
    film: Path, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "pixelnet.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(here))
    own = build({"class_path": "pixelnet.Pixels"})
    model, trainer = trained(own, film, ObjectWindows())
    video, ground = calls_of(model)[0]
    assert float(video.min()) == pytest.approx(40 / 255, abs=0.05)
    assert float(video.max()) == 1.0
    assert 0 <= float(ground.min()) < float(ground.max()) <= 1
    assert float(trainer.callback_metrics["train/mse"]) == pytest.approx(float(trainer.callback_metrics["train/loss"]))
    lines = lines_of(capsys.readouterr().out)
    assert lines[0] == "normalization: none, Pixels sees clips in [0, 1]"
    assert len(lines) == 4


def test_others_train_on_normalized_clips_and_their_mse_is_that_of_clips_in_0_to_1(film: Path) -> None:
    model, trainer = trained(CausalTokenizer(width=16), film)
    video, ground = calls_of(model)[0]
    assert model.adaptation is not None
    contrast = model.adaptation.contrast
    assert 0.8 < float(video.quantile(0.995)) < 1.2
    assert ground.abs().max() < 0.05
    loss, mse = (float(trainer.callback_metrics[f"train/{name}"]) for name in ("loss", "mse"))
    assert mse == pytest.approx(loss * contrast**2)


def test_a_checkpoint_from_before_the_normalization_is_refused_in_one_line(
    finished: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = checkpoint(finished, "best")
    for part in ("state_dict", "current_model_state"):
        content[part] = {name: value for name, value in content[part].items() if "normalization" not in name}
    torch.save(content, "old.ckpt")
    capsys.readouterr()
    assert main(["test", "--config=recon", *SMALL["recon"], f"--data.path={dataset}", "--ckpt_path=old.ckpt"]) == 2
    said = capsys.readouterr().err
    assert "lacks 'tokenizer.normalization.background'" in said
    assert said.count("\n") == 1


def test_where_nothing_moves_psnr_chooses_the_best_and_no_run_is_stopped(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = np.random.default_rng(0).integers(0, 255, (20, 1, 4, 4, 3)).repeat(8, 1).repeat(8, 2).repeat(8, 3)
    np.savez(here / "still.npz", video=still.astype(np.uint8))
    assert main(["data", "import-videos", "still.npz", "--out=data", "--axes=NTHWC"]) == 0
    stop = ["--collapse.patience=1", "--trainer.logger=false", "--run=a"]
    assert main(["fit", *options("recon", Path("data")), *SHORT, *stop]) == 0
    assert (
        capsys.readouterr().out.count("val: nothing moves, so there is no skill; best.ckpt has the highest PSNR") == 1
    )
    states = checkpoint(here / "runs/recon/a", "best")["callbacks"].values()
    assert any(state.get("monitor") == "val/psnr" for state in states if isinstance(state, dict))
