"""The tokenizer keeps its contract: shapes, exact round trip, causality."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from trajvq.models import CausalTokenizer


def random_tokenizer(**arguments: object) -> CausalTokenizer:
    """A small tokenizer with random weights everywhere, as after training: fresh ones are partly zero."""
    torch.manual_seed(0)
    tokenizer = CausalTokenizer(**{"width": 16, **arguments}).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for weight in tokenizer.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return tokenizer


def clip(frames: int = 16, height: int = 32, width: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(2, 3, frames, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("strides", "levels", "size"),
    [((4, 8, 8), (8, 5, 5, 5), 32), ((2, 8, 8), (8, 8, 8), 32), ((4, 4, 4), (5, 5), 16), ((1, 16, 16), (2,) * 10, 32)],
)
def test_decoding_tokens_is_the_reconstruction(strides: tuple[int, ...], levels: tuple[int, ...], size: int) -> None:
    tokenizer = random_tokenizer(strides=strides, levels=levels)
    video = clip(8, size, size)
    with torch.no_grad():
        indices = tokenizer.encode(video)
        assert indices.dtype == torch.int64
        assert indices.shape == (2, 8 // strides[0], size // strides[1], size // strides[2])
        assert 0 <= indices.min() <= indices.max() < tokenizer.codebook_size
        assert torch.equal(tokenizer.decode(indices), tokenizer(video))
        assert torch.equal(tokenizer.quantizer.codes(indices), tokenizer.quantize(video))


def test_the_default_grid_is_256_tokens_of_1000_codes() -> None:
    tokenizer = CausalTokenizer()
    assert tokenizer.codebook_size == 1000
    assert tokenizer.encode(torch.rand(1, 3, 16, 64, 64)).shape == (1, 4, 8, 8)


def test_digits_change_the_channels_and_not_the_codebook() -> None:
    tokenizer = random_tokenizer(digits=(2, 2))
    with torch.no_grad():
        indices = tokenizer.encode(clip())
        assert tokenizer.codebook_size == 1000
        assert tokenizer.quantize(clip()).shape[1] == 2
        assert torch.equal(tokenizer.decode(indices), tokenizer(clip()))


@given(frame=st.integers(1, 15), seed=st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_later_frames_change_no_earlier_token_or_picture(frame: int, seed: int) -> None:
    tokenizer, video = random_tokenizer(), clip(seed=seed)
    changed = video.clone()
    changed[:, :, frame:] = torch.rand_like(changed[:, :, frame:])
    whole = frame // 4  # latent frames that end at or before
    with torch.no_grad():
        before, after = tokenizer.encode(video), tokenizer.encode(changed)
        assert torch.equal(before[:, :whole], after[:, :whole])
        assert (before[:, whole:] != after[:, whole:]).any()
        pictures = [tokenizer.decode(i)[:, :, : 4 * whole] for i in (before, after)]
        assert torch.equal(*pictures)


def test_a_clip_cut_short_has_the_same_tokens() -> None:
    tokenizer, video = random_tokenizer(), clip(32)
    with torch.no_grad():
        torch.testing.assert_close(tokenizer.encode(video)[:, :4], tokenizer.encode(video[:, :, :16]))


@pytest.mark.parametrize("shape", [(15, 32, 32), (16, 36, 32), (16, 32, 30)])
def test_clips_that_do_not_divide_into_tokens_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="multiples"):
        random_tokenizer().encode(clip(*shape))


def test_fresh_weights_depend_on_the_seed_alone() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(CausalTokenizer(width=16).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_every_weight_learns() -> None:
    tokenizer = random_tokenizer().train()
    tokenizer(clip()).square().mean().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in tokenizer.parameters())


@pytest.mark.parametrize("receptive_field", [0, 1, 2])
def test_an_object_changes_no_token_beyond_the_receptive_field(receptive_field: int) -> None:
    tokenizer, video = random_tokenizer(receptive_field=receptive_field), torch.ones(1, 3, 16, 64, 64)
    with_object = video.clone()
    with_object[:, :, 4:8, 26:29, 34:38] = torch.rand(3, 4, 3, 4)  # in cell 3 of the rows and 4 of the columns
    with torch.no_grad():
        latents = [tokenizer.encoder(clips) for clips in (video, with_object)]
    changed = (latents[0] != latents[1]).any(dim=1)[0].nonzero()
    assert changed.amin(dim=0).tolist() == [1, 3 - receptive_field, 4 - receptive_field]
    assert changed.amax(dim=0).tolist() == [1, 3 + receptive_field, 4 + receptive_field]


def test_a_still_background_has_one_token_everywhere() -> None:
    with torch.no_grad():
        tokens = random_tokenizer().encode(torch.full((1, 3, 16, 64, 64), 0.7))[0]
    assert all(len(frame.unique()) == 1 for frame in tokens)


def test_a_receptive_field_beyond_the_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="receptive_field"):
        CausalTokenizer(blocks=2, receptive_field=3)
