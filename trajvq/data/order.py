"""In which order clips are read: an endless one for training that can begin anywhere, and shares of a split."""

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler


class TrainingOrder(Sampler[list[int]]):
    """Batches of a whole training run: shuffled passes over the clips, one after the other.

    The batch at a place depends on the seed and the place alone, so a run that broke off begins at the very
    batch it would have read next. With several processes, batch k of all of them together is batch k of
    one process with as many times the batch size.

    Args:
        count: Clips.
        batch_size: Clips a batch and process.
        batches: Batches of the whole run.
        start: Batches already read.
        seed: Seed of the shuffling.
        world: Processes.
        rank: Number of this one.
    """

    def __init__(
        self, count: int, batch_size: int, batches: int, start: int = 0, seed: int = 0, world: int = 1, rank: int = 0
    ) -> None:
        self.count, self.batch_size, self.batches, self.start = count, batch_size, batches, start
        self.seed, self.world, self.rank = seed, world, rank

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        whole = self.batch_size * self.world
        turn, order = -1, torch.empty(0, dtype=torch.int64)
        for batch in range(self.start, self.batches):
            places = range(batch * whole + self.rank, (batch + 1) * whole, self.world)
            chosen = []
            for place in places:
                if place // self.count != turn:
                    turn = place // self.count
                    order = torch.randperm(self.count, generator=torch.Generator().manual_seed(self.seed + turn))
                chosen.append(int(order[place % self.count]))
            yield chosen


class Share(Sampler[int]):
    """Every so-many-th clip: the shares of all processes together hold each clip once.

    Args:
        count: Clips.
        world: Processes.
        rank: Number of this one.
    """

    def __init__(self, count: int, world: int = 1, rank: int = 0) -> None:
        self.places = range(rank, count, world)

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[int]:
        return iter(self.places)
