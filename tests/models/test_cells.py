"""Cells: gaps in tracks, and the positions of object tokens."""

import pytest
import torch

from trajvq.models.cells import fill_gaps, fill_objects, token_positions

NAN = float("nan")


@pytest.mark.parametrize(
    ("partial", "filled"),
    [
        ([NAN, 1, 2, NAN, NAN, 8, 9, NAN], [0, 1, 2, 4, 6, 8, 9, 10]),
        ([NAN, NAN, 3, NAN], [3, 3, 3, 3]),
        ([0, NAN, 4, NAN], [0, 2, 4, 6]),
        ([0, 9, NAN, NAN], [0, 9, 15, 15]),
        ([NAN, NAN], [0, 0]),
        ([5, 1, 7], [5, 1, 7]),
    ],
    ids=["inside and at the ends", "once", "through a gap", "far outside", "never", "always"],
)
def test_objects_go_on_where_they_are_not_seen(partial: list[float], filled: list[float]) -> None:
    x = torch.tensor(partial) / 10
    tracks = torch.stack([x, -x], dim=-1)
    expected = torch.tensor(filled) / 10
    assert torch.allclose(fill_gaps(tracks[None, None])[0, 0], torch.stack([expected, -expected], dim=-1))


def test_an_object_that_is_never_seen_stays_away_unless_it_is_the_first() -> None:
    tracks = torch.full((1, 2, 4, 2), NAN)
    assert fill_objects(tracks)[0, 0].tolist() == [[0, 0]] * 4
    assert fill_objects(tracks)[0, 1].isnan().all()


def test_token_positions_ascend_and_are_padded_with_the_end() -> None:
    mask = torch.tensor([[True, False, True, True], [False, True, False, False]])
    assert token_positions(mask).tolist() == [[0, 2, 3], [1, 4, 4]]
