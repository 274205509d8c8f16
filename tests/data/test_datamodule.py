"""Loaders read every clip once, in an order that depends on the seed alone, from any kind of loader process."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

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


def test_fewer_clips_than_a_batch_are_a_batch(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batches = list(TrajectoryDataModule(dataset, batch_size=64).loader("train", True))
    assert [sorted(batch["index"].tolist()) for batch in batches] == [list(range(32))]
    assert "batches of 32: " in capsys.readouterr().out


@pytest.mark.parametrize(("sizes", "words"), [({"test": 4}, "'train' and no 'val'"), ({"train": 4}, "'val'")])
def test_training_says_which_splits_a_dataset_lacks_and_what_to_do(
    tmp_path: Path, sizes: dict[str, int], words: str
) -> None:
    none = dict.fromkeys(PRESETS["default"].clips, 0)
    generate(tmp_path / "data", none | sizes, frames=4, size=32)
    data = TrajectoryDataModule(tmp_path / "data")
    with pytest.raises(DataError, match=rf"has no {words}, which training needs.*import more clips"):
        data.setup("fit")
    data.setup("test")


def processes(
    dataset: Path, world: int, batch_size: int, stop: int, start: int = 0, state: dict[str, int] | None = None
) -> list[TrajectoryDataModule]:
    """Return the data modules of all processes of a run from batch ``start`` to ``stop``, as a trainer resumes them."""
    modules = [TrajectoryDataModule(dataset, batch_size=batch_size) for _ in range(world)]
    for rank, data in enumerate(modules):
        trainer = SimpleNamespace(world_size=world, global_rank=rank, max_steps=stop, accumulate_grad_batches=1)
        trainer.fit_loop = SimpleNamespace(
            epoch_loop=SimpleNamespace(batch_progress=SimpleNamespace(total=SimpleNamespace(ready=start)))
        )
        data.trainer = trainer  # type: ignore[assignment]
        if state:
            data.load_state_dict(state)
    return modules


@pytest.mark.parametrize(("split", "train"), [("train", True), ("test", False)])
def test_two_processes_read_every_clip_once(dataset: Path, split: str, train: bool) -> None:
    indices = [k for data in processes(dataset, 2, 4, 4) for k in order(data, split, train)]
    assert sorted(indices) == list(range(32 if train else 12))


def test_one_process_two_and_one_again_read_every_clip_once_per_epoch(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = order(processes(dataset, 1, 8, 8)[0], "train", True)
    indices: list[int] = []
    state: dict[str, int] = {}
    printed = []
    for world, batch_size, start, stop in ((1, 4, 0, 3), (2, 4, 3, 6), (2, 4, 6, 7), (1, 5, 7, 9), (1, 5, 9, 11)):
        modules = processes(dataset, world, batch_size, stop, start, state)
        batches = [[batch["index"] for batch in data.loader("train", True)] for data in modules]
        indices += [int(k) for parts in zip(*batches, strict=True) for row in zip(*parts, strict=True) for k in row]
        state = modules[0].state_dict()
        printed.append(capsys.readouterr().out.splitlines()[:1])
    assert indices == alone[: len(indices)]
    assert sorted(indices[:32]) == list(range(32))
    assert len(indices) == 64
    assert [len(lines) for lines in printed] == [0, 1, 0, 1, 0]
    words = "the order of the clips goes on after the"
    assert printed[1][0].startswith(f"processes 1 -> 2, clips per batch 4 -> 8: {words} 12 read so far")
    assert printed[3][0].startswith(f"processes 2 -> 1, clips per batch 8 -> 5: {words} 44 read so far")


def test_a_checkpoint_without_batching_and_a_new_training_count_batches(dataset: Path) -> None:
    alone = order(processes(dataset, 1, 8, 8)[0], "train", True)
    assert order(processes(dataset, 1, 8, 8, 2)[0], "train", True) == alone[16:]
    (data,) = processes(dataset, 1, 8, 8, 0, {"processes": 2, "batch_size": 8, "offset": -5})
    assert order(data, "train", True) == alone


@pytest.mark.parametrize("name", ["batch_size", "eval_batch_size", "train_clips"])
def test_numbers_of_clips_are_at_least_1(name: str) -> None:
    numbers: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match=rf"^data.{name} is 0; it is at least 1$"):
        TrajectoryDataModule(**numbers)
