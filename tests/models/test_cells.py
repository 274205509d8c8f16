"""Cells: gaps in tracks, and the positions of object tokens."""

import torch

from trajvq.models.cells import fill_gaps, token_positions


def test_missing_positions_repeat_the_last_one() -> None:
    nan = float("nan")
    tracks = torch.tensor([[[nan, nan], [1.0, 2.0], [nan, nan], [3.0, 4.0]], [[nan, nan]] * 4])
    assert fill_gaps(tracks)[0].tolist() == [[1, 2], [1, 2], [1, 2], [3, 4]]
    assert fill_gaps(tracks)[1].tolist() == [[0, 0]] * 4


def test_token_positions_ascend_and_are_padded_with_the_end() -> None:
    mask = torch.tensor([[True, False, True, True], [False, True, False, False]])
    assert token_positions(mask).tolist() == [[0, 2, 3], [1, 4, 4]]
