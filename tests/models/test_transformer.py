"""The token transformer: causal attention, with and without a cache of keys and values."""

import pytest
import torch

from trajvq.models.transformer import TokenTransformer


def test_a_causal_transformer_depends_on_no_later_token() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 12, 16)
    changed = x.clone()
    changed[:, 7:] = torch.randn(2, 5, 16)
    causal, full = (TokenTransformer(16, 2, 4, causal=way).eval() for way in (True, False))
    assert torch.allclose(causal(x)[:, :7], causal(changed)[:, :7], atol=1e-6)
    assert not torch.allclose(causal(x)[:, 7:], causal(changed)[:, 7:], atol=1e-2)
    assert not torch.allclose(full(x)[:, :7], full(changed)[:, :7], atol=1e-3)


def test_a_cache_changes_no_feature() -> None:
    torch.manual_seed(0)
    transformer, x = TokenTransformer(16, 2, 4, causal=True).eval(), torch.randn(2, 12, 16)
    cache = transformer.cache(12)
    parts = [transformer(part, cache) for part in (x[:, :7], *x[:, 7:].split(1, dim=1))]  # type: ignore[no-untyped-call]
    assert torch.allclose(torch.cat(parts, dim=1), transformer(x), atol=1e-6)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="a width of 10 does not divide into 4 heads"):
        TokenTransformer(10, 1, 4)
