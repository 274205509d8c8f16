"""Weights come from a checkpoint, an exported folder or the package; `default` works wherever a tokenizer does."""

import json
from pathlib import Path

import pytest
import torch

import trajvq
from trajvq.cli import main
from trajvq.errors import UserError
from trajvq.models import CausalTokenizer
from trajvq.tokens import FrozenTokenizer, weights
from trajvq.tokens.export import write_folder
from trajvq.tokens.protocol import spec_of
from trajvq.tokens.weights import Weights, read_tokenizer


def export(network: torch.nn.Module, folder: Path, skill: float | None = 0.5) -> Path:
    write_folder(network, spec_of(network), {"skill": skill, "about": {"name": folder.name}}, folder)
    return folder


@pytest.fixture
def default(tokenizer: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy tokenizer in the place of the package's own."""
    folder = export(trajvq.load_tokenizer(tokenizer), tmp_path_factory.mktemp("weights") / "default")
    monkeypatch.setattr(weights, "FOLDER", folder)
    return folder


@pytest.mark.usefixtures("default")
def test_default_is_the_tokenizer_of_the_package(tokenizer: Path, here: Path) -> None:
    video = torch.rand(1, 3, 8, 32, 32)
    expected = trajvq.load_tokenizer(tokenizer).encode(video)  # type: ignore[operator]
    assert torch.equal(trajvq.load_tokenizer("default").encode(video), expected)  # type: ignore[operator]
    frozen = FrozenTokenizer("default")
    assert torch.equal(frozen.encode(video), expected)
    assert frozen.identity()["path"] == "default"  # so that a task's checkpoint finds it on another machine
    assert "skill 0.500" in str(frozen)
    export(CausalTokenizer(width=24), here / "default")
    assert FrozenTokenizer("default").sha256 == frozen.sha256 != FrozenTokenizer("./default").sha256


@pytest.mark.usefixtures("here")
def test_a_dataset_is_tokenized_by_default_by_a_folder_and_by_a_checkpoint_alike(
    default: Path, tokenizer: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = ["--tokenizer=default", f"--tokenizer={default}", f"--tokenizer={tokenizer}", f"--ckpt_path={tokenizer}"]
    texts = set()
    for source in sources:
        assert main(["tokenize", str(dataset), "--out=t.jsonl", "--splits", "val", source]) == 0
        texts.add(Path("t.jsonl").read_text())
    assert len(texts) == 1
    assert "tokenizer: default (sha256" in capsys.readouterr().out
    assert main(["tokenize", str(dataset), "--out=t.jsonl", *sources[2:]]) == 2
    assert "not allowed with argument" in capsys.readouterr().err


@pytest.mark.usefixtures("default")
def test_a_task_trains_and_tests_on_default(dataset: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = ["--trainer.max_steps=2", "--trainer.val_check_interval=2", "--trainer.logger=false"]
    common = [
        "--config=classify",
        "--data.versions=1",
        f"--data.path={dataset}",
        "--model.tokenizer_ckpt=default",
        "--data.batch_size=8",
    ]
    common += ["--model.network.width=16", "--model.network.keep=4", "--model.network.hidden=32"]
    assert main(["fit", *common, *steps, "--run=a"]) == 0
    assert "tokenizer: default (sha256" in capsys.readouterr().out
    content = torch.load(here / "runs/classify/a/checkpoints/best.ckpt", weights_only=True)
    assert content["tokenizer"]["path"] == "default"
    assert main(["test", *common, "--model.total_steps=2"]) == 0


@pytest.mark.parametrize(
    ("skill", "words"), [(0.049, "has a skill of 0.049, below 0.05"), (None, "before its first validation")]
)
def test_a_folder_without_skill_is_refused_by_tasks(here: Path, skill: float | None, words: str) -> None:
    folder = export(CausalTokenizer(width=16), here / "weak", skill)
    with pytest.raises(UserError, match=words):
        FrozenTokenizer(str(folder))


def test_the_hash_of_a_folder_is_that_of_its_network(tokenizer: Path, here: Path) -> None:
    network = trajvq.load_tokenizer(tokenizer)
    first, again = (read_tokenizer(export(network, here / name, 0.1 * k)).sha256 for k, name in enumerate("ab", 1))
    assert first == again  # the skill on the card does not change tokens
    config = here / "a/config.json"
    content = json.loads(config.read_text())
    content["tokenizer"]["init_args"]["levels"] = [5, 8, 5, 5]  # the same shapes, other tokens
    config.write_text(json.dumps(content))
    assert read_tokenizer(here / "a").sha256 != first


def test_whoever_reads_the_card_can_read_the_weights(default: Path) -> None:
    modes = {(default / name).stat().st_mode for name in ("config.json", "model.safetensors")}
    assert len(modes) == 1


def test_damaged_and_missing_weights_are_one_line(
    default: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = default / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"cannot be read: the SHA-256 of model.safetensors is not the one"):
        trajvq.load_tokenizer("default")
    monkeypatch.setattr(weights, "FOLDER", tmp_path / "none")
    with pytest.raises(UserError, match=r"this trajvq has no default weights .*make_default.py"):
        trajvq.load_tokenizer("default")


def test_the_first_difference_of_two_networks_is_named(here: Path) -> None:
    stored = read_tokenizer(export(CausalTokenizer(width=16), here / "a"))
    for options, words in (
        ({"width": 24}, r"model.tokenizer.width is 24, theirs 16; set model.tokenizer.width to theirs"),
        ({"width": 16, "levels": (5, 8, 5, 5)}, r"model.tokenizer.levels is \[5, 8, 5, 5\], theirs \[8, 5, 5, 5\]"),
    ):
        with pytest.raises(UserError, match=words):
            stored.copy_to(CausalTokenizer(**options), "model.tokenizer")
    lacking = {name: value for name, value in stored.state.items() if name != next(iter(stored.state))}
    with pytest.raises(UserError, match=r"do not fit model.tokenizer: it lacks '"):
        Weights("x", "y", stored.spec, lacking).copy_to(CausalTokenizer(width=16), "model.tokenizer")
    plain = {"class_path": "torch.nn.Identity", "init_args": {}}
    with pytest.raises(UserError, match=r"model.tokenizer is trajvq\..*CausalTokenizer, theirs torch\..*Identity"):
        Weights("x", "y", plain, {}).copy_to(CausalTokenizer(width=16), "model.tokenizer")


@pytest.mark.skipif(not weights.FOLDER.is_dir(), reason="a checkout before experiments/weights/make_default.py")
def test_the_weights_of_the_package_are_small_and_keep_the_object() -> None:
    assert sum(path.stat().st_size for path in weights.FOLDER.iterdir()) < 8e6
    assert FrozenTokenizer("default").skill > 0.9
    about = json.loads((weights.FOLDER / "config.json").read_text())
    assert {"name", "step", "dataset", "commit", "data"} <= about["about"].keys()
    assert {"skill", "visible", "centroid_error"} <= about["test"]["figures"].keys()
