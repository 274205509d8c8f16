"""Trivial continuations in pixels: rows that no predicted clip should lose to.

B clips, n frames of context, M predicted frames.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from trajvq.io.arrays import Bytes
from trajvq.io.video import to_uint8

LARGEST_SHIFT = 1 / 4  # between two frames, of the sides of the picture
EXACT = 1e-6  # sum of square errors below which two frames are the same; a gray level of one pixel is 1.5e-5


def continue_frames(context: Tensor, background: Tensor, horizon: int) -> dict[str, Bytes]:
    """Return continuations of clips that need no model, uint8 ``(B, M, 3, H, W)`` by the name of their row.

    ``blank`` is the background, ``mean_frame`` the mean of the context, ``copy_last`` its last frame, and
    ``frame_shift`` the last frame moved on by `shift_between` the last two.

    Args:
        context: Float ``(B, 3, n, H, W)`` in [0, 1].
        background: Float ``(B, 3, 1, H, W)``.
        horizon: M.
    """
    last = context[:, :, -1:]
    still = {"blank": background, "mean_frame": context.mean(dim=2, keepdim=True), "copy_last": last}
    rows = {name: to_uint8(frame.expand(-1, -1, horizon, -1, -1)) for name, frame in still.items()}
    if context.shape[2] > 1:
        shift = shift_between(context[:, :, -2], context[:, :, -1])
        moved = [_moved(last[:, :, 0], step * shift) for step in range(1, horizon + 1)]
        rows["frame_shift"] = to_uint8(torch.stack(moved, dim=2))
    return rows


def shift_between(first: Tensor, second: Tensor) -> Tensor:
    """Return the shift that best maps frames onto the next ones, ``(B, 2)`` px along x and y.

    It has the least mean square error over whole frames, borders repeated, refined to fractions of a pixel by a
    parabola. Correlation is computed by Fourier transform.

    Args:
        first: Float ``(B, 3, H, W)``.
        second: The same shape.
    """
    height, width = first.shape[-2:]
    down, right = int(LARGEST_SHIFT * height), int(LARGEST_SHIFT * width)
    first, second = first.double(), second.double()
    padded = F.pad(first, (right, right, down, down), mode="replicate")
    power = _correlation(padded.square().sum(dim=1), torch.ones_like(second[:, 0]))
    cross = _correlation(padded, second).sum(dim=1)
    error = power - 2 * cross + second.square().sum(dim=(1, 2, 3))[:, None, None]
    y, x = (torch.arange(limit, -limit - 1, -1, device=first.device) for limit in (down, right))
    near = error + 1e-9 * (y[:, None] ** 2 + x**2)  # of equal shifts the smallest
    best = near.flatten(1).argmin(dim=1)
    row, column = best // len(x), best % len(x)
    clip = torch.arange(len(error), device=first.device)
    lowest = error[clip, row, column]
    fraction_y = _fraction(error[clip, :, column], row, lowest)
    fraction_x = _fraction(error[clip, row, :], column, lowest)
    return torch.stack([x[column] - fraction_x, y[row] - fraction_y], dim=1).to(torch.float32)


def _correlation(pictures: Tensor, kernel: Tensor) -> Tensor:
    """Return sums over all places of a kernel within pictures ``(..., P, Q)``."""
    size = pictures.shape[-2:]
    product = torch.fft.rfft2(pictures) * torch.fft.rfft2(kernel, s=size).conj()
    rows, columns = (whole - part + 1 for whole, part in zip(size, kernel.shape[-2:], strict=True))
    summed: Tensor = torch.fft.irfft2(product, s=size)
    return summed[..., :rows, :columns]


def _fraction(error: Tensor, index: Tensor, lowest: Tensor) -> Tensor:
    """Return how far the minimum of a parabola through three of ``(B, S)`` errors is from the middle one."""
    clip = torch.arange(len(error), device=error.device)
    before, after = error[clip, (index - 1).clamp(min=0)], error[clip, (index + 1).clamp(max=error.shape[1] - 1)]
    curvature = before - 2 * lowest + after
    inside = (index > 0) & (index < error.shape[1] - 1) & (lowest > EXACT) & (curvature > EXACT)
    offset = ((before - after) / (2 * curvature.clamp(min=EXACT))).clamp(-0.5, 0.5)
    return torch.where(inside, offset, 0.0)


def _moved(frame: Tensor, shift: Tensor) -> Tensor:
    """Return frames ``(B, 3, H, W)`` moved by ``(B, 2)`` px, borders repeated."""
    height, width = frame.shape[-2:]
    y, x = (torch.arange(size, device=frame.device) + 0.5 for size in (height, width))
    columns = 2 * (x - shift[:, :1]) / width - 1
    rows = 2 * (y - shift[:, 1:]) / height - 1
    grid = torch.stack([columns[:, None].expand(-1, height, -1), rows[:, :, None].expand(-1, -1, width)], dim=-1)
    return F.grid_sample(frame, grid.to(frame.dtype), padding_mode="border", align_corners=False)
