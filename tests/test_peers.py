"""The peers keep the Tokenizer protocol once trained, codecs meet the bits, and what has a cell is not run again."""

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from tests.scripts import EXPERIMENTS, load
from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.scene import make_clips
from trajvq.io.video import to_float
from trajvq.tokens import load_tokenizer
from trajvq.tokens.protocol import build

FOLDER = EXPERIMENTS / "peers"
# By row, arguments that make the network small. trajvq's own network has tests of its own.
ROWS: dict[str, dict[str, Any]] = {
    "vidtok_fsq": {"widths": [4, 4, 8, 8]},
    "vidtok_lfq": {"widths": [4, 4, 8, 8]},
    "magvit2": {"size": 32},
}


@pytest.fixture(scope="module")
def video(dataset: Path) -> torch.Tensor:
    return to_float(Clips(dataset, "test").batch([0, 1, 2])["video"])


def check_protocol(network: Any, video: torch.Tensor) -> None:
    tokens = network.encode(video)
    assert (tokens.dtype, tokens.shape) == (torch.int64, (3, 2, 4, 4))
    assert 0 <= int(tokens.min()) <= int(tokens.max()) < network.codebook_size
    assert torch.equal(network.decode(tokens), network(video))
    later, changed = video.clone(), (tokens + 1) % network.codebook_size
    later[:, :, 4:] = 1 - video[:, :, 4:]
    assert torch.equal(network.quantize(later)[:, :, :1], network.quantize(video)[:, :, :1])
    changed[:, :1] = tokens[:, :1]
    assert torch.equal(network.decode(changed)[:, :, :4], network.decode(tokens)[:, :, :4])
    clips = video.clone().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(network.train().quantize(clips)[:, :, :1].square().sum(), clips)
    assert gradient.abs().amax(dim=(0, 1, 3, 4))[:4].gt(0).all()  # a token sees all of its frames


@pytest.mark.parametrize("row", ROWS)
def test_a_peer_keeps_the_protocol_after_some_steps(row: str, video: torch.Tensor) -> None:
    if row == "magvit2" and find_spec("magvit2_pytorch") is None:
        pytest.skip("magvit2-pytorch is not installed")
    torch.manual_seed(0)
    settings = yaml.safe_load((FOLDER / f"rows/{row}.yaml").read_text())["model"]["init_args"]["tokenizer"]
    settings["init_args"] = settings.get("init_args", {}) | ROWS[row]
    network: Any = build(settings)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    for _ in range(4):
        (network(video) - video).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        check_protocol(network.eval(), video)


def test_a_row_is_a_second_config(dataset: Path, here: Path, video: torch.Tensor) -> None:
    configs = ["--config=recon", f"--config={FOLDER}/rows/vidtok_lfq.yaml", f"--data.path={dataset}"]
    short = ["--trainer.max_steps=1", "--trainer.val_check_interval=1", "--trainer.logger=false", "--data.batch_size=4"]
    assert main(["fit", *configs, "--model.tokenizer.widths=[4,4,8,8]", *short, "--run=a"]) == 0
    with torch.no_grad():
        check_protocol(load_tokenizer("runs/recon/a/checkpoints/best.ckpt"), video)


def test_rows_are_the_files_of_configs() -> None:
    assert {path.stem for path in (FOLDER / "rows").glob("*.yaml")} == {*ROWS, "trajvq"}


@pytest.fixture
def av1(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load("peers/av1.py", monkeypatch)
    if not module.is_available():
        pytest.skip("PyAV with SVT-AV1 is not installed")
    return module


def test_av1_meets_the_bits_and_shows_the_clips(av1: ModuleType) -> None:
    video = make_clips(6, "test", 0, 3, 8, 64)["video"]
    decoded, bits = av1.AV1(20).encode(video)
    assert decoded.shape == video.shape
    assert np.square(decoded.astype(float) - video).mean() < 20
    chosen = av1.choose_setting(video, bits.mean())
    assert av1.AV1(chosen.crf).encode(video)[1].mean() == pytest.approx(bits.mean(), rel=0.02)
    assert av1.choose_setting(video, 0.0).crf == av1.COARSEST


def test_a_row_is_run_once_and_stands_in_table_and_picture(
    dataset: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av")
    script = load("peers/peers.py", monkeypatch)
    verbs: list[str] = []

    def trajvq(*words: str, log: Path) -> None:
        verbs.append(words[0])
        assert main(list(words)) == 0

    for name, path in {"CELLS": "cells", "PICTURE": "peers.png", "README": "README.md"}.items():
        monkeypatch.setattr(script, name, here / path)
    monkeypatch.setattr(script, "trajvq", trajvq)
    monkeypatch.setattr(sys, "argv", ["peers.py", "--rows", "h264", "--sets", "default"])
    (here / "experiments/peers/rows").mkdir(parents=True)
    shutil.copytree(dataset, here / "datasets/default")
    (here / "README.md").write_text("<!-- table -->\nNot run yet.\n<!-- end of table -->\n")
    script.main()
    script.main()
    assert verbs == ["score"]
    cell = json.loads((here / "cells/default-0-0-h264.json").read_text())
    assert {"bits", "skill", "moving_psnr", "clips_per_second"} <= cell["rows"]["model"].keys()
    assert "| default, h264 |  | 0 |" in (here / "README.md").read_text()
    assert (here / "peers.png").exists()


def test_the_committed_table_is_that_of_the_committed_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    script, text = load("peers/peers.py", monkeypatch), (FOLDER / "README.md").read_text()
    cells = script.read_cells(FOLDER / "cells")
    lines = script.table(cells, script.COLUMNS) if cells else ["Not run yet."]
    assert [line for line in lines if line not in text.splitlines()] == []
