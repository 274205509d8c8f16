"""Loaders read every clip once, in an order that depends on the seed alone, from any kind of loader process."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import PRESETS
from trajvq.errors import DataError


def order(data: TrajectoryDataModule, split: str, train: bool) -> list[int]:
    return [int(k) for batch in data.loader(split, train) for k in batch["index"]]


def test_training_order_depends_on_the_seed_alone(dataset: Path) -> None:
    first = order(TrajectoryDataModule(dataset, batch_size=4, seed=1), "train", True)
    assert sorted(first) == list(range(32))
    assert first == order(TrajectoryDataModule(dataset, batch_size=4, seed=1), "train", True)
    assert first != order(TrajectoryDataModule(dataset, batch_size=4, seed=2), "train", True)
    assert first != sorted(first)


def test_evaluation_reads_all_clips_in_order(dataset: Path) -> None:
    assert order(TrajectoryDataModule(dataset, eval_batch_size=5), "test", False) == list(range(12))


@pytest.mark.parametrize(("method", "workers"), [("fork", 2), ("spawn", 1), ("forkserver", 1)])
def test_loader_processes_give_the_same_clips(dataset: Path, method: str, workers: int) -> None:
    in_process = list(TrajectoryDataModule(dataset, batch_size=8).loader("train", True))
    data = TrajectoryDataModule(dataset, batch_size=8, num_workers=workers, start_method=method)  # type: ignore[arg-type]
    data.clips("train")[0]  # workers must not inherit the open file of this process
    for expected, batch in zip(in_process, data.loader("train", True), strict=True):
        assert torch.equal(batch["video"], expected["video"])
        assert torch.equal(batch["index"], expected["index"])


def test_video_stays_uint8_until_it_is_on_the_device(dataset: Path) -> None:
    data = TrajectoryDataModule(dataset)
    batch = next(iter(data.loader("val")))
    assert batch["video"].dtype == torch.uint8
    assert batch["video"].shape == (8, 8, 3, 32, 32)
    video = data.on_after_batch_transfer(batch, 0)["video"]
    assert video.dtype == torch.float32
    assert video.shape == (8, 3, 8, 32, 32)
    assert 0 <= video.min() < video.max() <= 1
    assert torch.equal((video.transpose(1, 2) * 255).round().byte(), batch["video"])


def test_fewer_clips_than_a_batch_are_refused(dataset: Path) -> None:
    with pytest.raises(DataError, match="fewer than a batch"):
        TrajectoryDataModule(dataset, batch_size=64).loader("train", True)


@pytest.mark.parametrize(("sizes", "words"), [({"test": 4}, "'train' and no 'val'"), ({"train": 4}, "'val'")])
def test_training_says_which_splits_a_dataset_lacks_and_what_to_do(
    tmp_path: Path, sizes: dict[str, int], words: str
) -> None:
    none = dict.fromkeys(PRESETS["default"].clips, 0)
    generate(tmp_path / "data", none | sizes, frames=4, size=32, progress=False)
    data = TrajectoryDataModule(tmp_path / "data")
    with pytest.raises(DataError, match=rf"has no {words}, which training needs.*import more clips"):
        data.setup("fit")
    data.setup("test")


@pytest.mark.parametrize(("split", "train"), [("train", True), ("test", False)])
def test_two_processes_read_every_clip_once(dataset: Path, split: str, train: bool) -> None:
    indices = []
    for rank in range(2):
        data = TrajectoryDataModule(dataset, batch_size=4)
        trainer = SimpleNamespace(world_size=2, global_rank=rank, max_steps=4, accumulate_grad_batches=1)
        trainer.fit_loop = SimpleNamespace(
            epoch_loop=SimpleNamespace(batch_progress=SimpleNamespace(total=SimpleNamespace(ready=0)))
        )
        data.trainer = trainer  # type: ignore[assignment]
        indices += order(data, split, train)
    assert sorted(indices) == list(range(32 if train else 12))
