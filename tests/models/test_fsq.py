"""FSQ: every code comes back, in float32 whatever the precision."""

from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trajvq.models import FSQ


@given(levels=st.lists(st.integers(2, 9), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_every_index_comes_back_from_its_code(levels: list[int]) -> None:
    quantizer = FSQ(levels)
    indices = torch.arange(prod(levels)).view(1, 1, 1, -1)
    codes = quantizer.codes(indices)
    assert codes.shape[1] == len(levels)
    assert codes.abs().max() <= 1
    assert torch.equal(quantizer.indices(codes), indices)
    assert len(torch.unique(codes.flatten(2)[0].T, dim=0)) == prod(levels)


@pytest.mark.parametrize("digits", [[2, 2], [4], [1, 3], [2, 1, 1]])
def test_digits_number_the_same_codes(digits: list[int]) -> None:
    quantizer, plain = FSQ([8, 5, 5, 5], digits), FSQ([8, 5, 5, 5])
    indices = torch.arange(1000).view(1, 1, 1, -1)
    codes = quantizer.codes(indices)
    assert codes.shape[1] == len(digits)
    assert torch.equal(quantizer.indices(codes), indices)
    first, steps = codes[0, 0, 0, 0], int(quantizer.steps[0])
    assert torch.allclose(first[:steps], torch.linspace(-1, 1, steps))  # the first channel turns fastest, and rises
    assert plain.levels == quantizer.levels == (8, 5, 5, 5)


@pytest.mark.parametrize("digits", [[2, 1], [3, 2], [4, 0]])
def test_digits_that_do_not_add_up_are_refused(digits: list[int]) -> None:
    with pytest.raises(ValueError, match="digits"):
        FSQ([8, 5, 5, 5], digits)


def test_all_codes_are_reached_from_standard_normal_latents() -> None:
    quantizer = FSQ([8, 5, 5, 5])
    latent = torch.randn(1, 4, 1, 1, 200_000, generator=torch.Generator().manual_seed(0))
    assert len(quantizer.indices(quantizer(latent)).unique()) == 1000  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_low_precision_loses_no_codes(kind: torch.dtype) -> None:
    quantizer = FSQ([8, 5, 5, 5])
    with torch.autocast("cpu", torch.bfloat16):
        codes = quantizer(torch.randn(1, 4, 1, 1, 200_000, generator=torch.Generator().manual_seed(0)).to(kind))
        assert codes.dtype == torch.float32
        assert len(quantizer.indices(codes).unique()) == 1000  # type: ignore[no-untyped-call]


def test_the_gradient_passes_the_rounding() -> None:
    latent = torch.zeros(1, 4, 1, 1, 3, requires_grad=True)
    FSQ([8, 5, 5, 5])(latent).sum().backward()
    assert latent.grad is not None
    assert (latent.grad > 0).all()


@pytest.mark.parametrize("levels", [[], [8, 1]])
def test_useless_levels_are_refused(levels: list[int]) -> None:
    with pytest.raises(ValueError, match="levels"):
        FSQ(levels)
