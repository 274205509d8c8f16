"""Batches of tokens: every clip once, in an order that the seed alone decides, labels with their tokens."""

from pathlib import Path
from typing import Any

import pytest
import torch

from trajvq.augment import ClipSymmetries
from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.io.video import to_uint8
from trajvq.metrics.background import estimate_background
from trajvq.metrics.tracking import track
from trajvq.tokens import FrozenTokenizer
from trajvq.tokens.datamodule import TokenDataModule
from trajvq.tokens.tracks import as_appearance, tracks_in


def module(dataset: Path, tokenizer: Path, **settings: object) -> TokenDataModule:
    data = TokenDataModule(dataset, batch_size=4, **settings)  # type: ignore[arg-type]
    data.tokenizer = FrozenTokenizer(str(tokenizer))
    return data


def test_the_order_is_that_of_the_clips(dataset: Path, tokenizer: Path, here: Path) -> None:
    def order(data: TrajectoryDataModule) -> list[int]:
        return [int(k) for batch in data.loader("train", True) for k in batch["index"]]

    wanted = order(TrajectoryDataModule(dataset, batch_size=4, seed=3))
    assert order(module(dataset, tokenizer, seed=3)) == wanted
    assert order(module(dataset, tokenizer, seed=4)) != wanted


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
    data = module(dataset, tokenizer, versions=3, augment=ClipSymmetries(), train_clips=8)
    tokens, label = data.tokens("train", True), data.clips("train").columns["label"]
    seen = list(data.loader("train", True))
    assert len(seen) == 8 * 3 // 4
    rows = torch.cat([batch["index"] for batch in seen])
    assert torch.bincount(rows).tolist() == [3] * 8
    assert torch.equal(torch.cat([batch["label"] for batch in seen]), label[rows])
    versions = {
        (int(k), row.numpy().tobytes())
        for batch in seen
        for k, row in zip(batch["index"], batch["tokens"], strict=True)
    }
    wanted = {(k, row.long().numpy().tobytes()) for k, rows in enumerate(tokens.tokens) for row in rows}
    assert versions == wanted


def test_places_are_tracked_in_what_the_tokens_decode_to(dataset: Path, tokenizer: Path, here: Path) -> None:
    data = module(dataset, tokenizer, tracks=True, versions=2, augment=ClipSymmetries())
    assert data.tokenizer is not None
    batch = next(iter(data.loader("train", True)))
    assert batch["tracks"].shape == (4, 8, 2)
    for tokens, found, look in zip(batch["tokens"], batch["tracks"], batch["appearance"], strict=True):
        video = data.tokenizer.decode(tokens[None]).clamp(0, 1)
        tracks = track(to_uint8(video), to_uint8(estimate_background(video)))
        wanted = tracks.pixel[0] / 16 - 1
        assert torch.allclose(found.double(), torch.from_numpy(wanted), atol=1e-5, equal_nan=True)
        assert torch.allclose(look, as_appearance(tracks_in(video), 32)[0], atol=1e-5)
    assert "tracks" not in next(iter(data.loader("val")))


def test_clips_without_a_label_come_up_as_often_as_those_with_one(dataset: Path, tokenizer: Path, here: Path) -> None:
    data = module(dataset, tokenizer, labelled=8)
    batches = list(data.loader("train", True))
    index, label = (torch.cat([batch[name] for batch in batches]) for name in ("index", "label"))
    assert torch.equal(label, data.clips("train").columns["label"][index].masked_fill(index >= 8, -1))
    assert int((label >= 0).sum()) == int((label < 0).sum()) == 24
    assert torch.equal(data.tokens("val").columns["label"], data.clips("val").columns["label"])


def test_without_the_cache_training_sees_clips_and_evaluation_the_same_tokens(
    dataset: Path, tokenizer: Path, here: Path
) -> None:
    data = module(dataset, tokenizer, cache_tokens=False, augment=ClipSymmetries())
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


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"versions": 0}, "versions is 0"),
        ({"versions": 2}, "augment is null"),
        ({"labelled": 0}, "labelled is 0"),
        ({"tracks": True, "cache_tokens": False}, "need data.cache_tokens"),
    ],
)
def test_settings_that_make_no_sense_are_refused(dataset: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TokenDataModule(dataset, **settings)
