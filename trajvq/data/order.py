"""Samplers: the training order, which can start at any batch, and the share of a split that a process reads."""

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler


class TrainingOrder(Sampler[list[int]]):
    """The batches of a training run: shuffled passes over the clips.

    A batch depends on the seed and its number alone, so a resumed run starts with the batch that would have come
    next. With several processes, their k-th batches together are the k-th batch of a single process whose batch size
    is ``world`` times as large.

    Args:
        count: Number of clips.
        batch_size: Clips per batch and process.
        batches: Batches of the whole run.
        start: Number of batches already read.
        seed: Seed of the shuffling.
        world: Number of processes.
        rank: Number of this process, from 0.
    """

    def __init__(
        self, count: int, batch_size: int, batches: int, start: int = 0, seed: int = 0, world: int = 1, rank: int = 0
    ) -> None:
        self.count, self.batch_size, self.batches, self.start = count, batch_size, batches, start
        self.seed, self.world, self.rank = seed, world, rank

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        global_size = self.batch_size * self.world
        current, order = -1, torch.empty(0, dtype=torch.int64)
        for batch in range(self.start, self.batches):
            clips = []
            for position in range(batch * global_size + self.rank, (batch + 1) * global_size, self.world):
                epoch, index = divmod(position, self.count)
                if epoch != current:
                    current = epoch
                    order = torch.randperm(self.count, generator=torch.Generator().manual_seed(self.seed + epoch))
                clips.append(int(order[index]))
            yield clips


class Share(Sampler[int]):
    """Every ``world``-th clip from clip ``rank`` on: together, all processes read each clip once.

    Args:
        count: Number of clips.
        world: Number of processes.
        rank: Number of this process, from 0.
    """

    def __init__(self, count: int, world: int = 1, rank: int = 0) -> None:
        self.indices = range(rank, count, world)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)
