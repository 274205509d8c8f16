"""The order of training: it can begin anywhere, and several processes read what one would."""

from hypothesis import given
from hypothesis import strategies as st

from trajvq.data.order import Share, TrainingOrder


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 30), st.integers(0, 30))
def test_an_order_begun_anywhere_is_the_rest_of_the_whole(count: int, size: int, start: int, seed: int) -> None:
    whole = list(TrainingOrder(count, size, 30, seed=seed))
    assert list(TrainingOrder(count, size, 30, start, seed)) == whole[start:]


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 30))
def test_every_pass_holds_every_clip_once_in_an_order_of_its_own(count: int, size: int, seed: int) -> None:
    stream = [k for batch in TrainingOrder(count, size, 3 * count, seed=seed) for k in batch]
    passes = [stream[i * count : (i + 1) * count] for i in range(3)]
    assert all(sorted(one) == list(range(count)) for one in passes)
    if count > 8:  # two equal shuffles of nine are no accident
        assert passes[0] != passes[1]


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 4))
def test_processes_together_read_the_batches_of_one_with_as_large_a_batch(count: int, size: int, world: int) -> None:
    alone = list(TrainingOrder(count, size * world, 10))
    shares = [list(TrainingOrder(count, size, 10, world=world, rank=rank)) for rank in range(world)]
    for batch, parts in zip(alone, zip(*shares, strict=True), strict=True):
        assert batch == [k for row in zip(*parts, strict=True) for k in row]


@given(st.integers(1, 40), st.integers(1, 5))
def test_shares_hold_every_clip_once(count: int, world: int) -> None:
    shares = [list(Share(count, world, rank)) for rank in range(world)]
    assert sorted(k for share in shares for k in share) == list(range(count))
    assert all(len(Share(count, world, rank)) == len(share) for rank, share in enumerate(shares))
