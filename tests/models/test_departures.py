"""Departures from the usual clip: nothing is lost, whatever the clip."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trajvq.models.departures import UNKNOWN, departures, reach, retold, usual_tokens


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=7, max_size=7), min_size=1, max_size=5), st.booleans())
def test_any_clips_are_retold_exactly(clips: list[list[int]], known: bool) -> None:
    tokens = torch.tensor(clips)
    usual = torch.tensor([1, 1, 0, 2, 1, 3, 1]) if known else torch.full((7,), UNKNOWN)
    told = departures(tokens, usual)
    assert torch.equal(retold(told, usual), tokens)
    assert torch.equal((told.place < 7).sum(dim=1), (tokens != usual).sum(dim=1))
    ahead = told.place[:, 1:] > told.place[:, :-1]
    assert bool((ahead | (told.place[:, 1:] == 7)).all())


def test_the_usual_clip_is_the_commonest_token_of_each_place() -> None:
    tokens = torch.tensor([[5, 1], [5, 2], [3, 2]]).view(3, 1, 1, 2)
    assert usual_tokens(tokens).tolist() == [[[5, 2]]]


def test_where_nothing_is_usual_every_place_is_next() -> None:
    assert reach(torch.full((3,), UNKNOWN)).tolist() == [0, 1, 2, 3]
    assert reach(torch.tensor([4, UNKNOWN, 4])).tolist() == [1, 1, 3, 3]
