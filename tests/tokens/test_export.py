"""An exported tokenizer is the tokenizer, read without Lightning; its card says what it keeps."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from tests.stores import use_hub
from trajvq.cli import main
from trajvq.commands import export
from trajvq.commands.export import read_chart
from trajvq.errors import UserError
from trajvq.metrics.scoreboard import value_of
from trajvq.report.card import tokenizer_card
from trajvq.tokens import load_tokenizer
from trajvq.tokens.weights import read_tokenizer

CHECK = """
import sys, torch
from trajvq.tokens import load_tokenizer
network = load_tokenizer("shared")
video = torch.rand(1, 3, 8, 32, 32, generator=torch.Generator().manual_seed(0))
torch.save(network.encode(video), "tokens.pt")
assert "lightning" not in sys.modules and "pytorch_lightning" not in sys.modules
"""


def test_a_tokenizer_is_the_same_from_its_folder_and_needs_no_lightning(finished: Path, dataset: Path) -> None:
    assert main(["export", "--out=shared", "--no-chart"]) == 0
    subprocess.run([sys.executable, "-c", CHECK], check=True, timeout=100)
    network = load_tokenizer(finished / "checkpoints/best.ckpt")
    video = torch.rand(1, 3, 8, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.load("tokens.pt"), network.encode(video))  # type: ignore[operator]
    card = Path("shared/README.md").read_text()
    manifest = json.loads((dataset / "manifest.json").read_text())
    for words in ("2,551 bits", manifest["sha256"], "| mean_frame |", "12 clips of split `test`", "| machine |"):
        assert words in card
    config = json.loads(Path("shared/config.json").read_text())
    board = json.loads((finished / "scoreboards/test.json").read_text())
    assert config["skill"] == read_tokenizer(finished / "checkpoints/best.ckpt").skill
    assert config["test"]["figures"]["visible"] == board["rows"]["model"]["visible"]["value"]
    assert config["about"]["data"] == str(dataset)


class Same(torch.nn.Module):
    """Gives clips back as they are."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video

    decode = encode


def test_the_card_holds_the_eye_chart_of_the_tokenizer(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CLIP", (8, 40, 40))
    chart = read_chart(Same(), here / "eye_chart.png", "same")
    assert (here / "eye_chart.png").stat().st_size > 10_000
    assert chart.thresholds["radius"]["value"] < 1
    about = {"strides": [4, 8, 8], "clip": [16, 64, 64], "weights": 0, "bits": 2551.0, "codebook_size": 1000, "step": 1}
    named = about | {"name": "same", "class_path": "x.Same", "dataset": "d", "checkpoint": "c"}
    assert "| shift | 0.0" in tokenizer_card(named, None, chart.thresholds, "THIS_FOLDER")


@pytest.mark.parametrize("obstacle", ["strides", "picture"])
def test_a_tokenizer_that_the_eye_chart_does_not_fit_is_exported_without_it(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], obstacle: str
) -> None:
    words = "the fixed camera's picture that is subtracted 24x32"
    path = finished / "checkpoints/best.ckpt"
    if obstacle == "picture":
        content = torch.load(path, weights_only=True)
        content["state_dict"]["tokenizer.normalization.background"] = torch.rand(3, 1, 24, 32)
        torch.save(content, path)
    else:
        words = "16 frames of 60x64, do not divide into tokens of [4, 8, 8]"
        monkeypatch.setattr(export, "CLIP", (16, 60, 64))
    assert main(["export", "--out=shared"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("the card has no eye chart: ")]
    assert len(lines) == 1
    assert words in lines[0]
    assert {path.name for path in Path("shared").iterdir()} == {"README.md", "config.json", "model.safetensors"}
    assert "eye_chart.png" not in Path("shared/README.md").read_text()
    load_tokenizer("shared")


def test_a_model_repository_is_the_folder_with_metadata_on_its_card(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--hub=repository", "--no-chart", "--name=me/dots", "--license=mit"]) == 0
    assert "upload: hf upload me/dots repository\n" in capsys.readouterr().out
    assert {path.name for path in Path("repository").iterdir()} == {"README.md", "config.json", "model.safetensors"}
    _, head, card = Path("repository/README.md").read_text().split("---\n", 2)
    assert 'load_tokenizer("hf://me/dots")' in card
    metadata = yaml.safe_load(head)
    assert (metadata["license"], metadata["library_name"]) == ("mit", "trajvq")
    (result,) = metadata["model-index"][0]["results"]
    assert result["dataset"] == {"type": "small", "name": "small", "split": "test"}
    row = json.loads((finished / "scoreboards/test.json").read_text())["rows"]["model"]
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values["visible"] == pytest.approx(row["visible"]["value"], rel=1e-5)
    assert values["mse"] == pytest.approx(value_of(row["mse"]), rel=1e-5)
    assert {"skill", "centroid_error", "psnr"} <= values.keys()
    hub = use_hub(monkeypatch, {"me/dots": Path("repository")})
    assert read_tokenizer("hf://me/dots").sha256 == read_tokenizer("repository").sha256
    assert hub == [("me/dots", None, ["config.json", "model.safetensors"])]


@pytest.mark.usefixtures("finished")
def test_a_card_claims_neither_a_license_nor_figures_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree("runs/recon/a/scoreboards")
    assert main(["export", "--hub=repository", "--no-chart"]) == 0
    metadata = yaml.safe_load(Path("repository/README.md").read_text().split("---\n", 2)[1])
    assert metadata["license"] == "unknown"
    assert "model-index" not in metadata
    assert "upload: hf upload OWNER/a repository; the card says no license" in capsys.readouterr().out
    assert main(["export", "--out=shared", "--license=mit"]) == 2
    assert "write one with --hub" in capsys.readouterr().err


@pytest.mark.usefixtures("finished")
def test_a_damaged_folder_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--out=shared", "--no-chart"]) == 0
    whole = Path("shared/model.safetensors").read_bytes()
    for damage, words in ((b"", "cannot be read"), (whole[:-9], "cannot be read")):
        Path("shared/model.safetensors").write_bytes(damage)
        with pytest.raises(UserError, match=words):
            load_tokenizer("shared")
    Path("shared/model.safetensors").rename("shared/tokenizer.safetensors")
    with pytest.raises(UserError, match=r"no model.safetensors; rename tokenizer.safetensors, which an older trajvq"):
        load_tokenizer("shared")
    Path("shared/config.json").unlink()
    with pytest.raises(UserError, match=r"there is no config.json"):
        load_tokenizer("shared")
    capsys.readouterr()
    assert main(["export", "--ckpt_path=none.ckpt", "--out=other"]) == 2
    assert "there is no checkpoint none.ckpt" in capsys.readouterr().err
