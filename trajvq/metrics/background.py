"""Estimate the background of a clip from the clip alone, and find what stands out from it.

The temporal median keeps an object that moves slowly, so it is used only where a clip has no single background color.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

BINS = 32  # levels a channel that colors are rounded to before they are compared
SPAN = 256  # levels that are told apart; normalized clips reach beyond [0, 1]
PLAIN = 0.5  # share of a clip's pixels that must have one color for it to be the background
SAMPLED_PIXELS = 4096  # of each clip, approximately, that are searched for that color
LONG = 64  # frames; a longer clip is searched in about `SAMPLED_FRAMES` of them, so that enough rows are left
SAMPLED_FRAMES = 16
LEAST_SIDE = 8  # rows and columns that are searched in any clip, so that a border is no large part of them
DIFFERENCE_CAP = 0.06  # on differences before they are averaged, so that an object hardly changes its frame's mean
STANDOUT_RATIO = 3.0  # of an object's difference to the mean difference of its frame


def estimate_background(video: Tensor) -> Tensor:
    """Estimate the static background of clips.

    If at least half of a clip's pixels share one color (to 1/32 a channel), the background is the median of those
    pixels. Otherwise it is the median over time.

    Args:
        video: float ``(B, 3, T, H, W)`` in [0, 1], or normalized by the contrast.

    Returns:
        float ``(B, 3, 1, H, W)``, in the same units.
    """
    pixels_BCP = _sampled(video).flatten(2)
    coarse = (pixels_BCP * (BINS - 1)).round().long().clamp(-SPAN // 2, SPAN // 2 - 1)
    code_BP = (coarse[:, 0] * SPAN + coarse[:, 1]) * SPAN + coarse[:, 2]
    common_BP = code_BP == code_BP.mode(dim=1, keepdim=True).values
    plain_B = common_BP.float().mean(dim=1) >= PLAIN
    if video.is_cuda:  # both for all clips: asking the device which one a clip needs takes longer
        colors = _common_color(pixels_BCP, common_BP)[..., None, None, None].expand(-1, -1, 1, *video.shape[-2:])
        return torch.where(plain_B[:, None, None, None, None], colors, _median(video.unbind(dim=2))[:, :, None])
    background = []
    for clip, pixels, common, plain in zip(video, pixels_BCP, common_BP, plain_B.tolist(), strict=True):
        if plain:
            color = pixels[:, common].median(dim=1).values
            background.append(color[:, None, None, None].expand(-1, 1, *clip.shape[-2:]))
        else:
            background.append(_median(clip.unbind(dim=1))[:, None])
    return torch.stack(background)


def _sampled(video: Tensor) -> Tensor:
    """Return about 4096 pixels of each clip, in a regular pattern: ``(B, 3, t, h, w)`` of ``(B, 3, T, H, W)``."""
    frames, height, width = video.shape[2:]
    if frames > LONG:
        video = video[:, :, :: frames // SAMPLED_FRAMES]
    step = int((video[0, 0].numel() / SAMPLED_PIXELS) ** 0.5)
    step = max(min(step, height // LEAST_SIDE, width // LEAST_SIDE), 1)
    return video[..., ::step, ::step]


def _common_color(pixels: Tensor, common: Tensor) -> Tensor:
    """Return the median ``(B, C)`` of those pixels ``(B, C, P)`` for which ``common``, bool ``(B, P)``, is true.

    It is the lower of two for an even number of them, as that of ``torch.median``.
    """
    ordered = pixels.masked_fill(~common[:, None], torch.inf).sort(dim=2).values
    middle = (common.sum(dim=1) - 1) // 2
    return ordered.gather(2, middle[:, None, None].expand(-1, pixels.shape[1], 1))[..., 0]


def _median(pictures: Sequence[Tensor]) -> Tensor:
    """Return the pixelwise median of pictures, the lower of two for an even number of them.

    Sorts whole pictures with the odd-even merge sort network of Batcher (1968). For 16 pictures on a CPU this is six
    times as fast as ``torch.median``.
    """
    count = len(pictures)
    size = 1 << (count - 1).bit_length()
    ordered = [*pictures, *[torch.full_like(pictures[0], torch.inf)] * (size - count)]
    for run in (1 << k for k in range(size.bit_length() - 1)):  # merge pairs of sorted runs of this length
        for step in (run >> k for k in range(run.bit_length())):
            for low in range(step % run, size - step):
                high = low + step
                if (low - step % run) % (2 * step) < step and low // (2 * run) == high // (2 * run):
                    first, second = ordered[low], ordered[high]
                    ordered[low], ordered[high] = torch.minimum(first, second), torch.maximum(first, second)
    return ordered[(count - 1) // 2]


def stands_out(difference: Tensor, threshold: float) -> Tensor:
    """Return bool ``(..., H, W)``: pixels that show an object rather than changed light or sensor noise.

    Args:
        difference: ``(..., H, W)`` largest difference from the background over channels, in [0, 1].
        threshold: Lowest difference that counts. The limit is higher in a frame that differs everywhere, as in
            changed light, or whose object covers more than a fifth of it.
    """
    mean = difference.clamp(max=DIFFERENCE_CAP).mean(dim=(-2, -1), keepdim=True)
    return difference > (STANDOUT_RATIO * mean).clamp(min=threshold)


def stored_background(background: Tensor, like: Tensor) -> Tensor:
    """Convert a stored ``background`` column to float ``(B, 3, 1, H, W)`` in [0, 1].

    Args:
        background: uint8 ``(B, 3)`` or ``(B, 3, H, W)``.
        like: The clips, ``(B, 3, T, H, W)``.
    """
    picture = background[..., None, None] if background.ndim == 2 else background
    return (picture.to(like.dtype) / 255)[:, :, None].expand(-1, -1, 1, *like.shape[-2:])
