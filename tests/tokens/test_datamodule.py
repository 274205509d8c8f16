"""Batches of tokens: every clip once, in an order that the seed alone decides, labels with their tokens."""

from pathlib import Path

import pytest
import torch

from trajvq.augment import ClipSymmetries
from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.tokens import FrozenTokenizer, TokenDataModule


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
    versions = {(int(k), row.numpy().tobytes()) for batch in seen for k, row in zip(batch["index"], batch["tokens"])}
    wanted = {(k, row.long().numpy().tobytes()) for k, rows in enumerate(tokens.tokens) for row in rows}
    assert versions == wanted


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


def test_no_version_of_a_clip_at_all_is_refused(dataset: Path) -> None:
    with pytest.raises(ValueError, match="versions is 0"):
        TokenDataModule(dataset, versions=0)
