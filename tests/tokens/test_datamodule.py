"""Batches of tokens: every clip once, in an order that depends on the seed alone, labels with their tokens."""

from pathlib import Path
from typing import Any

import h5py
import pytest
import torch

from trajvq.augment import ClipSymmetries
from trajvq.cli import main
from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.errors import UserError
from trajvq.io.video import to_float
from trajvq.metrics.tracking import DiscTracker
from trajvq.tokens import FrozenTokenizer
from trajvq.tokens.datamodule import TokenDataModule
from trajvq.tokens.tracks import as_appearance, as_path, tracks_in


def module(dataset: Path, tokenizer: Path, **settings: object) -> TokenDataModule:
    data = TokenDataModule(dataset, batch_size=4, **settings)  # type: ignore[arg-type]
    data.tokenizer = FrozenTokenizer(str(tokenizer))
    return data


def test_the_order_is_that_of_the_clips(dataset: Path, tokenizer: Path, here: Path) -> None:
    def order(data: TrajectoryDataModule) -> list[int]:
        return [int(k) for batch in data.loader("train", True) for k in batch["index"]]

    expected = order(TrajectoryDataModule(dataset, batch_size=4, seed=3))
    assert order(module(dataset, tokenizer, seed=3)) == expected
    assert order(module(dataset, tokenizer, seed=4)) != expected


def test_evaluation_goes_in_order_with_labels_and_truth(dataset: Path, tokenizer: Path, here: Path) -> None:
    data = module(dataset, tokenizer, eval_batch_size=5)
    batches = list(data.loader("test"))
    assert torch.cat([batch["index"] for batch in batches]).tolist() == list(range(12))
    clips = data.clips("test")
    for name in ("label", "pixel", "identifiable"):
        assert torch.equal(torch.cat([batch[name] for batch in batches]), clips.columns[name])
    assert batches[0]["tokens"].shape == (5, 2, 4, 4)
    assert batches[0]["tokens"].dtype == torch.int64


def test_training_passes_over_every_version_of_every_clip(dataset: Path, tokenizer: Path, here: Path) -> None:
    data = module(dataset, tokenizer, versions=3, augment=ClipSymmetries(["rows", "reverse", "colors"]), train_clips=8)
    tokens, label = data.tokens("train", True), data.clips("train").columns["label"]
    batches = list(data.loader("train", True))
    assert len(batches) == 8 * 3 // 4
    rows = torch.cat([batch["index"] for batch in batches])
    assert torch.bincount(rows).tolist() == [3] * 8
    assert torch.equal(torch.cat([batch["label"] for batch in batches]), label[rows])
    versions = {
        (int(k), row.numpy().tobytes())
        for batch in batches
        for k, row in zip(batch["index"], batch["tokens"], strict=True)
    }
    expected = {(k, row.long().numpy().tobytes()) for k, rows in enumerate(tokens.tokens) for row in rows}
    assert versions == expected


def test_tracks_are_those_of_the_reconstruction(dataset: Path, tokenizer: Path, here: Path) -> None:
    data = module(dataset, tokenizer, tracks=True, versions=2, augment=ClipSymmetries(["rows", "reverse", "colors"]))
    assert data.tokenizer is not None
    batch = next(iter(data.loader("train", True)))
    assert batch["tracks"].shape == (4, 1, 8, 2)
    columns = zip(batch["tokens"], batch["tracks"], batch["appearance"], strict=True)
    for tokens, positions, appearance in columns:
        video = data.tokenizer.decode(tokens[None])
        tracks = tracks_in(video)
        assert torch.allclose(positions, as_path(tracks[0, ..., :2], 32, 32), atol=1e-5, equal_nan=True)
        assert torch.allclose(appearance, as_appearance(tracks, 32)[0], atol=1e-5)
    assert "tracks" not in next(iter(data.loader("val")))


def test_clips_with_and_without_label_come_up_equally_often(dataset: Path, tokenizer: Path, here: Path) -> None:
    data = module(dataset, tokenizer, labeled=8)
    batches = list(data.loader("train", True))
    index, label = (torch.cat([batch[name] for batch in batches]) for name in ("index", "label"))
    assert torch.equal(label, data.clips("train").columns["label"][index].masked_fill(index >= 8, -1))
    assert int((label >= 0).sum()) == int((label < 0).sum()) == 24
    assert torch.equal(data.tokens("val").columns["label"], data.clips("val").columns["label"])


def test_without_the_cache_training_has_clips_and_evaluation_the_same_tokens(
    dataset: Path, tokenizer: Path, here: Path
) -> None:
    data = module(dataset, tokenizer, cache_tokens=False, augment=ClipSymmetries(["rows", "reverse", "colors"]))
    batch = data.on_after_batch_transfer(next(iter(data.loader("val"))), 0)
    assert "video" not in batch
    assert torch.equal(batch["tokens"], next(iter(module(dataset, tokenizer).loader("val")))["tokens"])
    video = next(iter(data.loader("train", True)))["video"].transpose(1, 2).float() / 255
    torch.manual_seed(0)
    first = data.tokens_of({"video": video})
    torch.manual_seed(1)
    assert not torch.equal(first, data.tokens_of({"video": video}))
    torch.manual_seed(0)
    assert torch.equal(first, data.tokens_of({"video": video}))


@pytest.mark.parametrize("cache_tokens", [True, False])
def test_evaluation_of_a_context_holds_its_tokens_alone(
    dataset: Path, tokenizer: Path, here: Path, cache_tokens: bool
) -> None:
    data = module(dataset, tokenizer, eval_batch_size=12, cache_tokens=cache_tokens)
    assert data.tokenizer is not None
    data.context = 4
    batch = data.on_after_batch_transfer(next(iter(data.loader("test"))), 0)
    video = next(iter(TrajectoryDataModule(dataset, eval_batch_size=12).loader("test")))["video"]
    first = to_float(video)[:, :, :4].contiguous()
    assert torch.equal(batch["tokens"], data.tokenizer.encode(first))
    assert torch.equal(data.context_tokens("test", 4).long(), batch["tokens"])
    assert torch.equal(batch["label"], data.clips("test").columns["label"])
    assert data.tokens("test").tokens.shape[2] == 2


class Still(DiscTracker):
    """A tracker that sees every object at one point."""

    version = "still"

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        tracks = super().__call__(*arguments, **named)
        tracks.pixel[:] = 16.0
        return tracks


def test_labels_that_are_not_there_are_missed_in_one_line(dataset: Path, tokenizer: Path, here: Path) -> None:
    data = TokenDataModule(dataset, labeled=4)
    data.tokenizer = FrozenTokenizer(str(tokenizer))
    clips = data.clips("train")
    clips.columns = {name: column for name, column in clips.columns.items() if name != "label"}
    data.clips = lambda split: clips  # type: ignore[method-assign]
    with pytest.raises(UserError, match=r"data\.labeled is 4, and .* has no labels; leave it out"):
        data.tokens("train", train=True)


def test_another_tracker_is_a_setting(dataset: Path, tokenizer: Path, here: Path) -> None:
    data = module(dataset, tokenizer, tracks=True, tracker=Still())
    assert bool((next(iter(data.loader("train", True)))["tracks"] == 0).all())


TRACKER = """
from trajvq.metrics.tracking import DiscTracker

class Mine(DiscTracker):
    version = "mine 7"

    def __init__(self, gain: float = 1.0):
        self.gain = gain
"""


def test_a_tracker_in_a_file_outside_is_a_class_in_the_config(
    dataset: Path, tokenizer: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "mytracker.py").write_text(TRACKER)
    monkeypatch.syspath_prepend(str(here))
    arguments = [
        "fit",
        "--config=classify",
        "--data.versions=1",
        f"--data.path={dataset}",
        f"--model.tokenizer_ckpt={tokenizer}",
    ]
    short = ["--trainer.max_steps=1", "--trainer.val_check_interval=1", "--trainer.logger=false", "--data.batch_size=4"]
    assert main([*arguments, *short, "--data.tracker=mytracker.Mine", "--data.tracker.gain=2", "--run=a"]) == 0
    with h5py.File(next((here / "runs/tokens").rglob("train-tracks.h5"))) as file:
        assert file.attrs["tracker"] == "mytracker.Mine mine 7"


@pytest.mark.parametrize(
    ("augment", "most", "versions"),
    [(ClipSymmetries(["rows"]), 100, 3), (ClipSymmetries(["rows"]), 2, 2), (None, 9, 1)],
)
def test_few_clips_have_more_versions(
    augment: ClipSymmetries | None,
    most: int,
    versions: int,
    dataset: Path,
    tokenizer: Path,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trajvq.tokens.datamodule.EXAMPLES", 3 * 32 + 31)
    monkeypatch.setattr("trajvq.tokens.datamodule.MOST_VERSIONS", most)
    data = module(dataset, tokenizer, versions="auto", augment=augment, train_clips=4)
    assert data.tokens("train", True).tokens.shape[:2] == (4, versions)
    assert data.tokens("train").tokens.shape[1] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"versions": 0}, "versions is 0"),
        ({"versions": 2}, "augment is null"),
        ({"labeled": 0}, "labeled is 0"),
        ({"tracks": True, "cache_tokens": False}, "need data.cache_tokens"),
        ({"tracker": print}, "has no version"),
    ],
)
def test_contradictory_settings_are_refused(dataset: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TokenDataModule(dataset, **settings)
