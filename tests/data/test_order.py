"""The training order can start at any batch, and several processes read the same clips as one."""

from hypothesis import given
from hypothesis import strategies as st

from trajvq.data.order import Share, TrainingOrder


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 30), st.integers(0, 30))
def test_an_order_can_start_at_any_batch(count: int, size: int, start: int, seed: int) -> None:
    order = list(TrainingOrder(count, size, 30, seed=seed))
    assert list(TrainingOrder(count, size, 30, start, seed)) == order[start:]


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 30))
def test_every_epoch_has_every_clip_once_in_its_own_order(count: int, size: int, seed: int) -> None:
    stream = [k for batch in TrainingOrder(count, size, 3 * count, seed=seed) for k in batch]
    epochs = [stream[i * count : (i + 1) * count] for i in range(3)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    if count > 8:  # two equal shuffles of nine clips are not a coincidence
        assert epochs[0] != epochs[1]


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 4))
def test_the_batches_of_all_processes_together_are_those_of_one(count: int, size: int, world: int) -> None:
    expected = list(TrainingOrder(count, size * world, 10))
    shares = [list(TrainingOrder(count, size, 10, world=world, rank=rank)) for rank in range(world)]
    for batch, parts in zip(expected, zip(*shares, strict=True), strict=True):
        assert batch == [k for row in zip(*parts, strict=True) for k in row]


@given(st.integers(1, 40), st.integers(1, 5))
def test_the_shares_of_all_processes_hold_every_clip_once(count: int, world: int) -> None:
    shares = [list(Share(count, world, rank)) for rank in range(world)]
    assert sorted(k for share in shares for k in share) == list(range(count))
    assert all(len(Share(count, world, rank)) == len(share) for rank, share in enumerate(shares))
