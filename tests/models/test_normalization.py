"""ClipNormalization: there and back, stored with the weights, and strict about the size of a picture."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.conftest import save_tokenizer
from trajvq.errors import UserError
from trajvq.models import CausalTokenizer
from trajvq.models.normalization import ClipNormalization, match_backgrounds
from trajvq.tokens import FrozenTokenizer, load_tokenizer

PICTURE = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def video(size: int = 32) -> Tensor:
    return torch.rand(2, 3, 4, size, size, generator=torch.Generator().manual_seed(1))


def fitted(background: Tensor, contrast: float = 0.2) -> ClipNormalization:
    module = ClipNormalization()
    module.fit(background, contrast)
    return module


def trained(background: Tensor = PICTURE) -> CausalTokenizer:
    tokenizer = CausalTokenizer(width=16)
    tokenizer.normalization.fit(background, 0.2)
    return tokenizer.eval()


@pytest.mark.parametrize("background", [torch.full((3, 1, 1, 1), 0.7), PICTURE])
def test_the_inverse_gives_the_clips_back(background: Tensor) -> None:
    module = fitted(background)
    torch.testing.assert_close(module.inverse(module(video())), video())


def test_the_background_becomes_zero_and_the_contrast_one() -> None:
    module = fitted(PICTURE)
    assert module(PICTURE[None]).eq(0).all()
    torch.testing.assert_close(module(PICTURE[None] + 0.2), torch.ones(1, 3, 1, 32, 32))


@pytest.mark.parametrize("contrast", [0.0, -0.1])
def test_a_contrast_is_positive(contrast: float) -> None:
    with pytest.raises(ValueError, match=f"contrast is {contrast}"):
        fitted(PICTURE, contrast)


def test_clips_of_another_size_than_a_picture_are_one_line() -> None:
    for call in (fitted(PICTURE), fitted(PICTURE).inverse, trained().encode, trained().forward):
        with pytest.raises(UserError, match=r"a fixed camera, 32x32 \(height x width\), and the clips are 40x40; give"):
            call(video(40))
    assert fitted(torch.rand(3, 1, 1, 1))(video(40)).shape == (2, 3, 4, 40, 40)


@pytest.mark.parametrize("before", [torch.rand(3, 1, 1, 1), torch.rand(3, 1, 16, 24)])
@pytest.mark.parametrize("stored", [torch.rand(3, 1, 1, 1), PICTURE])
def test_stored_backgrounds_of_any_shape_are_loaded(before: Tensor, stored: Tensor) -> None:
    network, state = trained(before), trained(stored).state_dict()
    clone = copy.deepcopy(network)
    for each in (network, clone):
        each.load_state_dict(state)
        assert torch.equal(each.normalization.background, stored)
    alone = fitted(before)
    match_backgrounds(alone, fitted(stored).state_dict())
    assert alone.background.shape == stored.shape


def test_decoded_tokens_are_the_reconstruction_exactly() -> None:
    tokenizer = trained()
    with torch.no_grad():
        assert torch.equal(tokenizer.decode(tokenizer.encode(video())), tokenizer(video()))


def test_a_frozen_tokenizer_keeps_it_and_its_hash_covers_it(here: Path) -> None:
    tokenizer = trained()
    save_tokenizer(tokenizer, here / "fixed.ckpt", 0.5)
    frozen = FrozenTokenizer("fixed.ckpt")
    with torch.no_grad():
        assert torch.equal(frozen.encode(video()), tokenizer.encode(video()))
        assert torch.equal(load_tokenizer(here / "fixed.ckpt").normalization.background, PICTURE)  # type: ignore[union-attr, arg-type]
    before = frozen.fingerprint()
    for name in ("background", "contrast"):
        with torch.no_grad():
            getattr(frozen.network.normalization, name).view(-1)[0] += 1e-3
        assert frozen.fingerprint() != before
        before = frozen.fingerprint()
