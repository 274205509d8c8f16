"""The overlays ``tokens/*`` train, resume and test without tracks, on clips with and without classes."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml

from tests.interruptions import interrupt_at
from tests.toy_runs import SHORT
from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.tasks import Classify
from trajvq.tokens import FrozenTokenizer
from trajvq.tokens.sampling import load_generator, sample_clips

OVERLAYS = sorted(path.stem for path in (Path(__file__).parent.parent / "configs/tokens").glob("*.yaml"))
TOY = {
    "classify": ["--model.network.width=16", "--model.network.hidden=16"],
    "sample": ["--model.samples=2"],
    "forecast": ["--model.context=4", "--model.horizon=4", "--model.samples=2", "--model.warmup_steps=1"],
}
NETWORK = ["--model.network.tokens.width=16", "--model.network.tokens.depth=1", "--model.network.tokens.heads=2"]


def options(overlay: str, dataset: Path, tokenizer: Path) -> list[str]:
    """Return the options of a run at toy size, the same for every command."""
    task = overlay.split("_")[0]
    data = [f"--data.path={dataset}", f"--model.tokenizer_ckpt={tokenizer}", "--data.batch_size=8", "--data.versions=1"]
    network = [] if task == "classify" else NETWORK
    return [
        "--config",
        task,
        "--config",
        f"tokens/{overlay}",
        *data,
        *network,
        *TOY[task],
        "--model.total_steps=4",
        "--trainer.logger=false",
    ]


def checkpoint(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    return content


def without_classes(dataset: Path, path: Path, seed: int | None = None) -> Path:
    """Import clips of a dataset as videos; with a seed, frames from the fifth on are noise."""
    video = Clips(dataset, "test").batch(list(range(12)))["video"].numpy().copy()
    if seed is not None:
        video[:, 4:] = np.random.default_rng(seed).integers(0, 256, video[:, 4:].shape)
    np.savez(path.with_suffix(".npz"), videos=np.tile(video, (4, 1, 1, 1, 1)))
    assert main(["data", "import-videos", f"{path}.npz", "--out", str(path)]) == 0
    return path


def test_there_is_an_overlay_of_both_token_models_for_both_tasks() -> None:
    both = {f"{task}_{model}" for task in ("sample", "forecast") for model in ("masked", "autoregressive")}
    assert {*both, "classify_tokens"} == set(OVERLAYS)


def trained(overlay: str, dataset: Path, tokenizer: Path, here: Path) -> Path:
    """Train a few steps; return the run, which needed no tracks and left the tokenizer alone."""
    assert main(["fit", *options(overlay, dataset, tokenizer), *SHORT, "--run=a"]) == 0
    run = here / "runs" / overlay.split("_")[0] / "a"
    content, saved = checkpoint(run), yaml.safe_load((run / "config.yaml").read_text())
    assert content["tokenizer"]["sha256"] == FrozenTokenizer(str(tokenizer)).sha256
    assert all(name.startswith("network.") for name in content["state_dict"])
    assert not saved["data"]["init_args"]["tracks"]
    assert saved["model"]["init_args"]["network"]["init_args"].get("trajectory") is None
    return run


def test_a_classifier_learns_from_tokens_and_labels_alone(dataset: Path, tokenizer: Path, here: Path) -> None:
    run = trained("classify_tokens", dataset, tokenizer, here)
    network = Classify.load_from_checkpoint(run / "checkpoints/last.ckpt", weights_only=True).classifier
    assert network.read(torch.randint(1000, (2, 2, 4, 4)))[1] is None


def test_stopped_and_resumed_is_the_same_to_the_bit(dataset: Path, tokenizer: Path, here: Path) -> None:
    words, runs = [*options("sample_masked", dataset, tokenizer), *SHORT], here / "runs/sample"
    assert main(["fit", *words, "--run=whole"]) == 0
    with pytest.raises(RuntimeError, match="broken"):
        main(["fit", *words, "--run=halves", *interrupt_at("step", 3, "raise")])
    assert main(["fit", *words, "--run=halves"]) == 0
    whole, halves = checkpoint(runs / "whole")["state_dict"], checkpoint(runs / "halves")["state_dict"]
    assert all(torch.equal(halves[name], value) for name, value in whole.items())


@pytest.mark.parametrize("overlay", [name for name in OVERLAYS if name.startswith("sample")])
def test_clips_without_classes_are_sampled(overlay: str, dataset: Path, tokenizer: Path, here: Path) -> None:
    run = trained(overlay, without_classes(dataset, here / "plain"), tokenizer, here)
    loaded = load_generator(run / "checkpoints/best.ckpt")
    assert loaded.classes == []
    samples = next(iter(sample_clips(loaded.network, [-1], 3)))
    assert samples.tracks is None
    assert samples.tokens.shape == (3, 2, 4, 4)
    assert int(samples.tokens.min()) >= 0


@pytest.mark.parametrize("overlay", [name for name in OVERLAYS if name.startswith("forecast")])
def test_noise_for_a_future_changes_no_prediction(overlay: str, dataset: Path, tokenizer: Path, here: Path) -> None:
    words, run = options(overlay, dataset, tokenizer), trained(overlay, dataset, tokenizer, here)
    videos = []
    for name, seed in (("same", None), ("noisy", 0)):
        data = without_classes(dataset, here / name, seed)
        assert main(["predict", *words, f"--data.path={data}", "--run=a"]) == 0
        with h5py.File(run / "predictions.h5") as file:
            videos.append(file["video"][:])
    np.testing.assert_array_equal(videos[0], videos[1])
    assert videos[0].shape[1] == 8
