"""Long clips and large pictures pass a tokenizer a piece at a time, with the same tokens and pixels as at once."""

from math import ceil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from tests.models.test_tokenizer import random_tokenizer
from trajvq.io.video import to_float, to_uint8
from trajvq.tokens.protocol import Tokenizer
from trajvq.tokens.streaming import decode, encode, remarks


class Recorded(nn.Module):
    """A tokenizer that notes the largest clips, in pixels, that it encodes and decodes at a time."""

    def __init__(self, network: Tokenizer, contexts: tuple[int, int] | None) -> None:
        super().__init__()
        self.network, self.codebook_size, self.strides = network, network.codebook_size, network.strides
        if contexts:
            self.encoder_context, self.decoder_context = contexts
        self.encoded = self.decoded = 0

    def encode(self, video: Tensor) -> Tensor:
        self.encoded = max(self.encoded, video.numel() // 3)
        return self.network.encode(video)

    def decode(self, indices: Tensor) -> Tensor:
        video = self.network.decode(indices)
        self.decoded = max(self.decoded, video.numel() // 3)
        return video

    def quantize(self, video: Tensor) -> Tensor:
        return self.network.quantize(video)


class Difference(nn.Module):
    """Tokens are the steps of brightness from one frame to the next; a frame is the sum of the last two steps."""

    codebook_size, strides = 511, (1, 4, 4)

    def quantize(self, video: Tensor) -> Tensor:
        mean = (F.avg_pool3d(video.mean(dim=1, keepdim=True), self.strides) * 255).round()
        return mean - F.pad(mean, (0, 0, 0, 0, 1, 0))[:, :, :-1]

    def encode(self, video: Tensor) -> Tensor:
        return self.quantize(video)[:, 0].long() + 255

    def decode(self, indices: Tensor) -> Tensor:
        steps = F.pad((indices[:, None] - 255) / 255, (0, 0, 0, 0, 1, 0))
        frames = steps[:, :, 1:] + steps[:, :, :-1]
        return frames.expand(-1, 3, -1, -1, -1).repeat_interleave(4, 3).repeat_interleave(4, 4)


def stored_clips(count: int, frames: int, height: int = 32, width: int = 32) -> Tensor:
    """Return random clips as datasets store them, uint8 ``(count, frames, 3, height, width)``."""
    shape = (count, frames, 3, height, width)
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_long_clip_needs_the_memory_of_a_short_one_and_has_the_same_tokens_and_pixels() -> None:
    tokenizer = random_tokenizer(width=8, patch_channels=16, frame_channels=8)
    networks = [Recorded(tokenizer, (tokenizer.encoder_context, tokenizer.decoder_context)) for _ in range(2)]
    with torch.no_grad():
        for network, frames in zip(networks, (64, 1024), strict=True):
            stored = stored_clips(1, frames)
            tokens = encode(network, stored.transpose(1, 2), pixels=64 * 32 * 32)
            video = decode(network, tokens, pixels=64 * 32 * 32)
        assert torch.equal(tokens, tokenizer.encode(to_float(stored)))
        torch.testing.assert_close(video, tokenizer.decode(tokens))
        stored_again = decode(network, tokens, stored=True, pixels=64 * 32 * 32)
        assert torch.equal(stored_again, torch.from_numpy(to_uint8(video)))
    short, long = networks
    assert short.encoded == long.encoded == 64 * 32 * 32
    assert short.decoded == long.decoded == 64 * 32 * 32


@given(
    count=st.integers(1, 3),
    frames=st.integers(1, 50),
    height=st.sampled_from([8, 24]),
    pixels=st.integers(1, 20_000),
    blocks=st.integers(0, 3),
)
@settings(max_examples=25, deadline=None)
def test_pieces_are_bounded_by_their_pixels(count: int, frames: int, height: int, pixels: int, blocks: int) -> None:
    tokenizer = random_tokenizer(width=8, patch_channels=16, frame_channels=8, blocks=blocks, receptive_field=0)
    network, video = Recorded(tokenizer, (0, blocks)), stored_clips(count, frames, height, 16).transpose(1, 2) / 255
    padded = F.pad(video, (0, 0, 0, 0, 0, -frames % 4), mode="replicate")
    with torch.no_grad():
        tokens = encode(network, video, pixels=pixels)
        assert tokens.shape == (count, ceil(frames / 4), height // 8, 2)
        different = tokens != tokenizer.encode(padded)
        assert different.float().mean() < 0.01  # products of other sizes may round one token in 100,000 differently
        torch.testing.assert_close(decode(network, tokens, pixels=pixels), tokenizer.decode(tokens))
    latent_frame = 4 * height * 16
    assert network.encoded <= max(pixels, latent_frame)
    assert network.decoded <= max(pixels, 2 * blocks * latent_frame, latent_frame)


@pytest.mark.parametrize("contexts", [None, (1, 1)])
def test_other_tokenizers_get_whole_clips_unless_they_say_how_far_they_look_back(
    contexts: tuple[int, int] | None,
) -> None:
    network, video = Recorded(Difference(), contexts), stored_clips(2, 20, 8, 8).transpose(1, 2)
    tokens = encode(network, video, pixels=1024)
    assert torch.equal(tokens, network.network.encode(video / 255))
    assert torch.equal(decode(network, tokens, pixels=1024), network.network.decode(tokens))
    assert network.encoded == network.decoded == (20 * 8 * 8 if contexts is None else 1024)


def test_remarks_name_padding_and_clips_that_cannot_be_cut() -> None:
    cpu, tokenizer = torch.device("cpu"), random_tokenizer()
    assert remarks(tokenizer, 1024, 512, 512, cpu) == []
    (line,) = remarks(tokenizer, 10, 64, 64, cpu)
    assert "repeated up to 12" in line
    assert "first 10 frames" in line
    assert remarks(Recorded(tokenizer, None), 64, 64, 64, cpu) == []
    (line,) = remarks(Recorded(tokenizer, None), 68, 64, 64, cpu)
    assert line.startswith("Recorded has no encoder_context")
