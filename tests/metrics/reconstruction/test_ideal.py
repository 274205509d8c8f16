"""The ideal code length is that of a real code: probabilities sum to 1, and what train shows is cheap."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trajvq.metrics.reconstruction.ideal import TokenCounts


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), clips=st.integers(1, 20), size=st.integers(2, 4), used=st.integers(1, 4))
def test_the_probabilities_of_all_clips_sum_to_one(seed: int, clips: int, size: int, used: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    train = torch.randint(0, min(used, size), (clips, 3, 1, 2), generator=generator)
    every = torch.cartesian_prod(*[torch.arange(size)] * 4).view(-1, 2, 1, 2)
    assert (2.0 ** -TokenCounts(train, size).code_length(every)).sum() == pytest.approx(1)


def test_the_formula_by_hand() -> None:
    train = torch.tensor([[0, 1, 1], [0, 1, 2]]).view(2, 3, 1, 1)
    counts = TokenCounts(train, 4)
    one = (3 + 0.5) / (6 + 2)
    cell = (3 + 3 * one) / (6 + 3)
    after_one = (1 + 2 * cell) / (2 + 2)
    after_new = cell  # no token follows code 3 in train
    zero = (2 + 3 * (2 + 0.5) / 8) / 9
    new = (0 + 3 * 0.5 / 8) / 9
    lengths = counts.code_length(torch.tensor([[1, 1], [3, 1], [0, 3]]).view(3, 2, 1, 1))
    after_zero = (0 + 1 * new) / (2 + 1)
    expected = [cell * after_one, new * after_new, zero * after_zero]
    np.testing.assert_allclose(lengths, -np.log2(expected))


def test_tokens_that_follow_from_the_one_before_are_nearly_free() -> None:
    start = torch.arange(500) % 4
    tokens = torch.stack([(start + k) % 4 for k in range(8)], dim=1).view(500, 8, 1, 1).expand(500, 8, 3, 3)
    length = TokenCounts(tokens, 1000).code_length(tokens)
    assert length.mean() == pytest.approx(9 * math.log2(4), rel=0.05)


def test_a_cell_that_always_shows_one_code_is_nearly_free() -> None:
    tokens = torch.arange(64).view(1, 1, 8, 8).expand(300, 1, 8, 8)
    assert TokenCounts(tokens, 1000).code_length(tokens).max() < 20


@pytest.mark.parametrize("size", [10**6, 2**36])
def test_a_large_codebook_needs_no_table(size: int) -> None:
    train = torch.randint(0, size, (50, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    counts = TokenCounts(train, size)
    assert counts.code_length(train).max() < 256 * math.log2(size)
    assert counts.code_length((train + 1) % size).mean() == pytest.approx(256 * math.log2(size), rel=0.1)


def test_one_latent_frame_has_nothing_before_it() -> None:
    tokens = torch.zeros(3, 1, 2, 2, dtype=torch.int64)
    assert np.isfinite(TokenCounts(tokens, 5).code_length(tokens)).all()
