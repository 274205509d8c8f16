"""Samplers: the training order, which can start at any batch, and the share of a split that a process reads."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.utils.data import Sampler


class Batching(NamedTuple):
    """How the batches of a training run lie in its order: batch k begins at clip ``k * clips + offset`` of the order.

    Attributes:
        processes: Number of processes.
        batch_size: Clips per batch and process.
        offset: Clips; not 0 only where a run went on with other numbers of the first two.
    """

    processes: int
    batch_size: int
    offset: int = 0

    @property
    def clips(self) -> int:
        """Clips per batch of all processes together."""
        return self.processes * self.batch_size

    def position(self, batch: int) -> int:
        """Return the number of clips read before a batch."""
        return batch * self.clips + self.offset

    def resumed_at(self, batch: int, processes: int, batch_size: int) -> "Batching":
        """Return the batching of a run that goes on at a batch, right after the clips read before it."""
        return Batching(processes, batch_size, self.position(batch) - batch * processes * batch_size)


class TrainingOrder(Sampler[list[int]]):
    """The batches of a training run: shuffled passes over the clips.

    A batch depends on the seed and its number alone, so a resumed run starts with the batch that would have come
    next. With several processes, their k-th batches together are the k-th batch of a single process whose batch size
    is as many times as large. The order of the clips is the same for any batching.

    Args:
        count: Number of clips.
        batching: Processes, clips per batch, and where the batches begin.
        batches: Batches of the whole run.
        start: Number of batches already read.
        seed: Seed of the shuffling.
        rank: Number of this process, from 0.
    """

    def __init__(
        self, count: int, batching: Batching, batches: int, start: int = 0, seed: int = 0, rank: int = 0
    ) -> None:
        self.count, self.batching, self.batches, self.start = count, batching, batches, start
        self.seed, self.rank = seed, rank

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        position_of, processes = self.batching.position, self.batching.processes
        current, order = -1, torch.empty(0, dtype=torch.int64)
        for batch in range(self.start, self.batches):
            clips = []
            for position in range(position_of(batch) + self.rank, position_of(batch + 1), processes):
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
