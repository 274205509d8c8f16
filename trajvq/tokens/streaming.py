"""Encode and decode clips of any length in constant memory: a few clips, or a few latent frames of one, at a time.

B clips of T frames, H rows and W columns; t, h, w tokens over latent frames, rows and columns.
"""

from collections.abc import Iterator
from math import ceil, prod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from trajvq.io.video import bytes_to_float, float_to_bytes
from trajvq.tokens.protocol import Tokenizer, is_streaming

CPU_PIXELS = 2**18  # of a piece: 64 frames of 64 x 64. Larger ones take more memory and are no faster.
DEVICE_PIXELS = 2**22  # of a piece on other devices: 64 clips of 16 x 64 x 64, to keep them busy


class _Piece(NamedTuple):
    """Clips and latent frames that go through the network together.

    Attributes:
        clips: Which clips.
        first: First latent frame.
        start: First latent frame of the result that is kept; those before are its context, or done already.
        end: Latent frame after the last.
    """

    clips: slice
    first: int
    start: int
    end: int


def encode(network: Tokenizer, video: Tensor, device: torch.device | None = None, pixels: int | None = None) -> Tensor:
    """Return tokens int64 ``(B, t, h, w)``, the same as those of ``network.encode``, in constant memory.

    Where T is no multiple of the frames that a token covers, the last frame is repeated.

    Args:
        network: The tokenizer, in evaluation mode. Without the attributes of a `StreamingTokenizer` it encodes whole
            clips, one at a time if they are long.
        video: ``(B, 3, T, H, W)``, float in [0, 1], or uint8, which is converted a piece at a time.
        device: Where to encode; None for the video's device.
        pixels: Most pixels that the network sees at a time, but at least a latent frame and as much again as its
            context; None for `CPU_PIXELS` or, on other devices, `DEVICE_PIXELS`.
    """
    device, frames = device or video.device, network.strides[0]
    context = network.encoder_context if is_streaming(network) else None
    length, size = ceil(video.shape[2] / frames), frames * prod(video.shape[3:])
    tokens: Tensor | None = None
    for clips, first, start, end in _pieces(len(video), length, size, context, pixels or _limit(device)):
        piece = bytes_to_float(video[clips, :, first * frames : end * frames].to(device))
        missing = (end - first) * frames - piece.shape[2]
        if missing:
            piece = F.pad(piece, (0, 0, 0, 0, 0, missing), mode="replicate")
        encoded = network.encode(piece)
        if tokens is None:
            tokens = encoded.new_empty(len(video), length, *encoded.shape[2:])
        tokens[clips, start:end] = encoded[:, start - first :]
    assert tokens is not None
    return tokens


def decode(network: Tokenizer, tokens: Tensor, stored: bool = False, pixels: int | None = None) -> Tensor:
    """Return clips float ``(B, 3, T, H, W)``, the same as those of ``network.decode`` up to rounding.

    The network's memory is constant. The clips themselves are whole, and four times as small if ``stored``.

    Args:
        network: The tokenizer, as for `encode`.
        tokens: int64 ``(B, t, h, w)``.
        stored: Return clips as datasets store them, uint8 ``(B, T, 3, H, W)``.
        pixels: Most pixels that the network returns at a time; see `encode`.
    """
    frames, length = network.strides[0], tokens.shape[1]
    context = network.decoder_context if is_streaming(network) else None
    size = prod(network.strides) * prod(tokens.shape[2:])
    video: Tensor | None = None
    for clips, first, start, end in _pieces(len(tokens), length, size, context, pixels or _limit(tokens.device)):
        decoded = network.decode(tokens[clips, first:end])[:, :, (start - first) * frames :]
        piece = float_to_bytes(decoded).transpose(1, 2) if stored else decoded
        if video is None:
            shape = list(piece.shape)
            shape[0], shape[1 if stored else 2] = len(tokens), length * frames
            video = piece.new_empty(shape)
        span = slice(start * frames, end * frames)
        video[(clips, span) if stored else (clips, slice(None), span)] = piece
    assert video is not None
    return video


def remarks(network: Tokenizer, frames: int, height: int, width: int, device: torch.device) -> list[str]:
    """Return what a user should know before clips of a size are encoded, a line each.

    Args:
        network: The tokenizer.
        frames: T.
        height: H, in pixels.
        width: W, in pixels.
        device: Where they are encoded.
    """
    lines, stride = [], network.strides[0]
    padded = ceil(frames / stride) * stride
    if padded != frames:
        lines.append(
            f"clips of {frames} frames: a token covers {stride}, so the last frame is repeated up to {padded}; "
            f"of a decoded clip only the first {frames} frames count"
        )
    if frames * height * width > _limit(device) and not is_streaming(network):
        lines.append(
            f"{type(network).__name__} has no encoder_context and decoder_context: it encodes and decodes these clips "
            "whole, which takes memory in proportion to their length"
        )
    return lines


def _pieces(count: int, length: int, size: int, context: int | None, limit: int) -> Iterator[_Piece]:
    """Cut clips into pieces.

    Pieces of a clip overlap by the context. The last one overlaps more, so that all are equally long: products of
    matrices with few rows may round differently.

    Args:
        count: Number of clips.
        length: Latent frames of a clip.
        size: Pixels of a latent frame.
        context: Latent frames that the network looks back; None if unknown, for whole clips.
        limit: Most pixels of a piece. Pieces are longer where the context would be more than half of them.
    """
    together = max(limit // (length * size), 1)
    window = length if context is None else min(length, max(limit // size, 2 * context, 1))
    for clip in range(0, max(count, 1), together):
        start = 0
        while start < length:
            end = min(max(start - (context or 0), 0) + window, length)
            yield _Piece(slice(clip, clip + together), end - window, start, end)
            start = end


def _limit(device: torch.device) -> int:
    return CPU_PIXELS if device.type == "cpu" else DEVICE_PIXELS
