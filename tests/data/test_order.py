"""The training order can start at any batch with any number of processes, which read the same clips as one."""

from hypothesis import given
from hypothesis import strategies as st

from trajvq.data.order import Batching, Share, TrainingOrder


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 30), st.integers(0, 30))
def test_an_order_can_start_at_any_batch(count: int, size: int, start: int, seed: int) -> None:
    order = list(TrainingOrder(count, Batching(1, size), 30, seed=seed))
    assert list(TrainingOrder(count, Batching(1, size), 30, start, seed)) == order[start:]


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 30))
def test_every_epoch_has_every_clip_once_in_its_own_order(count: int, size: int, seed: int) -> None:
    stream = [k for batch in TrainingOrder(count, Batching(1, size), 3 * count, seed=seed) for k in batch]
    epochs = [stream[i * count : (i + 1) * count] for i in range(3)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    if count > 8:  # two equal shuffles of nine clips are not a coincidence
        assert epochs[0] != epochs[1]


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 4))
def test_the_batches_of_all_processes_together_are_those_of_one(count: int, size: int, world: int) -> None:
    expected = list(TrainingOrder(count, Batching(1, size * world), 10))
    assert together(count, Batching(world, size), 0, 10) == expected


def together(count: int, batching: Batching, start: int, stop: int) -> list[list[int]]:
    """Return the batches of all processes together."""
    shares = [TrainingOrder(count, batching, stop, start, rank=rank) for rank in range(batching.processes)]
    return [[k for row in zip(*parts, strict=True) for k in row] for parts in zip(*shares, strict=True)]


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(0, 6)), min_size=1, max_size=5),
)
def test_a_run_goes_on_with_any_number_of_processes(count: int, parts: list[tuple[int, int, int]]) -> None:
    batching, start, stream = Batching(*parts[0][:2]), 0, []
    for processes, batch_size, batches in parts:
        batching = batching.resumed_at(start, processes, batch_size)
        stream += [k for batch in together(count, batching, start, start + batches) for k in batch]
        start += batches
    assert stream == [batch[0] for batch in TrainingOrder(count, Batching(1, 1), len(stream))]


@given(st.integers(1, 40), st.integers(1, 5))
def test_the_shares_of_all_processes_hold_every_clip_once(count: int, world: int) -> None:
    shares = [list(Share(count, world, rank)) for rank in range(world)]
    assert sorted(k for share in shares for k in share) == list(range(count))
    assert all(len(Share(count, world, rank)) == len(share) for rank, share in enumerate(shares))
