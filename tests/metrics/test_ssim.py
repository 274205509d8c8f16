"""SSIM against a plain double loop over windows."""

import torch

from trajvq.metrics.ssim import ssim


def test_ssim_is_the_mean_over_gaussian_windows() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(2, 3, 16, 14, generator=generator)
    made = (target + 0.2 * torch.randn(target.shape, generator=generator)).clamp(0, 1)
    line = torch.exp(-0.5 * ((torch.arange(11) - 5) / 1.5) ** 2)
    weight = torch.outer(line, line) / line.sum() ** 2
    total = torch.zeros(2)
    for row in range(6):
        for column in range(4):
            x, y = (v[:, :, row : row + 11, column : column + 11] for v in (made, target))
            mx, my = ((weight * v).sum(dim=(2, 3)) for v in (x, y))
            vx, vy = ((weight * v**2).sum(dim=(2, 3)) - m**2 for v, m in ((x, mx), (y, my)))
            cov = (weight * x * y).sum(dim=(2, 3)) - mx * my
            total += ((2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))).mean(1)
    torch.testing.assert_close(ssim(made, target), total / 24, atol=1e-4, rtol=0)
    torch.testing.assert_close(ssim(target, target), torch.ones(2), atol=1e-5, rtol=0)
