"""The token transformer: digits shared among codes, places in time and space, and no look ahead when causal."""

import pytest
import torch

from trajvq.models.transformer import TokenEmbedding, TokenLayout, TokenTransformer

LAYOUT = TokenLayout(1000, (8, 5, 5, 5), (2, 4, 4), 4)


def test_codes_are_made_of_the_digits_that_fsq_numbers() -> None:
    from trajvq.models import FSQ

    embedding, quantizer = TokenEmbedding(LAYOUT, 16), FSQ(LAYOUT.levels)
    tokens = torch.arange(1000)
    digits = (quantizer.codes(tokens.view(-1, 1, 1, 1))[..., 0, 0, 0] + 1) / 2
    place = (digits * (quantizer.levels - 1)).round().long()
    start = torch.tensor([0, 8, 13, 18])
    codes = embedding.code[place + start].sum(dim=1)
    wanted = codes + embedding.mix(codes)
    made = embedding(tokens[:, None], torch.zeros(1000, 1, dtype=torch.int64))[:, 0]
    known = made[0] - wanted[0]
    assert torch.allclose(made, wanted + known, atol=1e-5)


def test_places_are_frame_row_and_column() -> None:
    embedding = TokenEmbedding(LAYOUT, 16)
    tokens = torch.zeros(1, 32, dtype=torch.int64)
    grid = embedding(tokens).view(2, 4, 4, 16)
    assert torch.allclose(grid[1, 2, 3] - grid[0, 2, 3], embedding.axes[0][1] - embedding.axes[0][0], atol=1e-5)
    assert torch.allclose(grid[1, 2, 3] - grid[1, 0, 3], embedding.axes[1][2] - embedding.axes[1][0], atol=1e-5)
    assert torch.allclose(grid[1, 2, 3] - grid[1, 2, 1], embedding.axes[2][3] - embedding.axes[2][1], atol=1e-5)
    some = torch.tensor([[5, 30]])
    assert torch.equal(embedding(tokens[:, :2], some), embedding(tokens)[:, [5, 30]])


def test_a_causal_transformer_sees_no_later_token() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 12, 16)
    changed = x.clone()
    changed[:, 7:] = torch.randn(2, 5, 16)
    causal, full = (TokenTransformer(16, 2, 4, causal=way).eval() for way in (True, False))
    assert torch.allclose(causal(x)[:, :7], causal(changed)[:, :7], atol=1e-6)
    assert not torch.allclose(causal(x)[:, 7:], causal(changed)[:, 7:], atol=1e-2)
    assert not torch.allclose(full(x)[:, :7], full(changed)[:, :7], atol=1e-3)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="a width of 10 does not divide into 4 heads"):
        TokenTransformer(10, 1, 4)
