"""A clip without its objects, estimated from the clip alone.

The plain temporal median holds a slow object, so it is used only where the clip has no single
background color.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

BINS = 32  # colors are told apart in steps of 1/32
PLAIN = 0.5  # share of a clip's pixels that one color must have to be its background
SAMPLE = 4096  # pixels of a clip, about, that are looked at to find that color
USUAL = 0.06  # differences beyond count as this, so that an object hardly moves what is usual in its frame
TIMES = 3.0  # so many times the usual difference stands out


def estimate_background(video: Tensor) -> Tensor:
    """Estimate the static background of clips.

    A clip in which at least half of all pixels share one color (to 1/32 a channel) is plain: its
    background is the median of those pixels. In any other clip it is the median over time.

    Args:
        video: float ``(B, 3, T, H, W)`` in [0, 1].

    Returns:
        float ``(B, 3, 1, H, W)`` in [0, 1].
    """
    step = max(int((video[0, 0].numel() / SAMPLE) ** 0.5), 1)
    pixels_BCP = video[..., ::step, ::step].flatten(2)
    coarse = (pixels_BCP * (BINS - 1)).round().long()
    code_BP = (coarse[:, 0] * BINS + coarse[:, 1]) * BINS + coarse[:, 2]
    common_BP = code_BP == code_BP.mode(dim=1, keepdim=True).values
    background = []
    for clip, pixels, common in zip(video, pixels_BCP, common_BP, strict=True):
        if common.float().mean() >= PLAIN:
            color = pixels[:, common].median(dim=1).values
            background.append(color[:, None, None, None].expand(-1, 1, *clip.shape[-2:]))
        else:
            background.append(_median(clip.unbind(dim=1))[:, None])
    return torch.stack(background)


def _median(pictures: Sequence[Tensor]) -> Tensor:
    """Return at each place the median, the lower one of two, by Batcher's network (1968), which sorts whole pictures.

    On a CPU that is six times as fast as torch's median of 16.
    """
    count = len(pictures)
    size = 1 << (count - 1).bit_length()
    held = [*pictures, *[torch.full_like(pictures[0], torch.inf)] * (size - count)]
    for run in (1 << k for k in range(size.bit_length() - 1)):  # sorted runs of this length are merged in pairs
        for step in (run >> k for k in range(run.bit_length())):
            for low in range(step % run, size - step):
                high = low + step
                if (low - step % run) % (2 * step) < step and low // (2 * run) == high // (2 * run):
                    held[low], held[high] = torch.minimum(held[low], held[high]), torch.maximum(held[low], held[high])
    return held[(count - 1) // 2]


def stands_out(difference: Tensor, threshold: float) -> Tensor:
    """Return bool ``(..., H, W)``: where a frame shows an object rather than changed light or the noise of a sensor.

    Args:
        difference: From the background, in [0, 1], the largest of the channels, ``(..., H, W)``.
        threshold: The least difference that counts. Where all of a frame differs, as in changed light, more is asked;
            so it is where an object covers more than a fifth of it.
    """
    usual = difference.clamp(max=USUAL).mean(dim=(-2, -1), keepdim=True)
    return difference > (TIMES * usual).clamp(min=threshold)


def stored_background(background: Tensor, like: Tensor) -> Tensor:
    """Turn a stored ``background`` column into float ``(B, 3, 1, H, W)`` in [0, 1].

    Args:
        background: uint8 ``(B, 3)`` or ``(B, 3, H, W)``.
        like: The clips, ``(B, 3, T, H, W)``.
    """
    picture = background[..., None, None] if background.ndim == 2 else background
    return (picture.to(like.dtype) / 255)[:, :, None].expand(-1, -1, 1, *like.shape[-2:])
