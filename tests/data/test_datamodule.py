"""Every clip once, in an order that the seed alone decides, from any kind of loader process."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.data.storage.shards import DataError


def order(data: TrajectoryDataModule, split: str, train: bool) -> list[int]:
    return [int(k) for batch in data.loader(split, train) for k in batch["index"]]


def test_training_order_depends_on_the_seed_alone(dataset: Path) -> None:
    first = order(TrajectoryDataModule(dataset, batch_size=4, seed=1), "train", True)
    assert sorted(first) == list(range(32))
    assert first == order(TrajectoryDataModule(dataset, batch_size=4, seed=1), "train", True)
    assert first != order(TrajectoryDataModule(dataset, batch_size=4, seed=2), "train", True)
    assert first != sorted(first)


def test_evaluation_goes_in_order_and_leaves_nothing_out(dataset: Path) -> None:
    assert order(TrajectoryDataModule(dataset, eval_batch_size=5), "test", False) == list(range(12))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_loader_processes_give_the_same_clips(dataset: Path, method: str) -> None:
    alone = list(TrajectoryDataModule(dataset, batch_size=8).loader("train", True))
    data = TrajectoryDataModule(dataset, batch_size=8, num_workers=2, start_method=method)  # type: ignore[arg-type]
    data.clips("train")[0]  # a handle open in the parent must not reach the workers
    for here, there in zip(alone, data.loader("train", True), strict=True):
        assert torch.equal(here["video"], there["video"])
        assert torch.equal(here["index"], there["index"])


def test_video_stays_bytes_until_it_is_on_the_device(dataset: Path) -> None:
    data = TrajectoryDataModule(dataset)
    batch = next(iter(data.loader("val")))
    assert batch["video"].dtype == torch.uint8
    assert batch["video"].shape == (8, 8, 3, 32, 32)
    moved = data.on_after_batch_transfer(batch, 0)["video"]
    assert moved.dtype == torch.float32
    assert moved.shape == (8, 3, 8, 32, 32)
    assert 0 <= moved.min() < moved.max() <= 1
    assert torch.equal((moved.transpose(1, 2) * 255).round().byte(), batch["video"])


def test_fewer_clips_than_a_batch_is_one_line(dataset: Path) -> None:
    with pytest.raises(DataError, match="fewer than a batch"):
        TrajectoryDataModule(dataset, batch_size=64).loader("train", True)


@pytest.mark.parametrize(("split", "train"), [("train", True), ("test", False)])
def test_two_processes_see_every_clip_once(dataset: Path, split: str, train: bool) -> None:
    seen = []
    for rank in range(2):
        data = TrajectoryDataModule(dataset, batch_size=4)
        trainer = SimpleNamespace(world_size=2, global_rank=rank, max_steps=4, accumulate_grad_batches=1)
        trainer.fit_loop = SimpleNamespace(
            epoch_loop=SimpleNamespace(batch_progress=SimpleNamespace(total=SimpleNamespace(ready=0)))
        )
        data.trainer = trainer  # type: ignore[assignment]
        seen += order(data, split, train)
    assert sorted(seen) == list(range(32 if train else 12))
