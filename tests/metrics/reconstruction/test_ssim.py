"""SSIM equals a plain double loop over windows."""

import pytest
import torch
from torchmetrics.functional import mean_squared_error
from torchmetrics.functional.image import peak_signal_noise_ratio

from trajvq.data.synthetic.scene import make_clips
from trajvq.io.video import to_float
from trajvq.metrics.reconstruction.scoreboard import ReconstructionScoreboard
from trajvq.metrics.reconstruction.ssim import ssim


def test_ssim_is_the_mean_over_gaussian_windows() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(2, 3, 16, 14, generator=generator)
    picture = (target + 0.2 * torch.randn(target.shape, generator=generator)).clamp(0, 1)
    line = torch.exp(-0.5 * ((torch.arange(11) - 5) / 1.5) ** 2)
    weight = torch.outer(line, line) / line.sum() ** 2
    total = torch.zeros(2)
    for row in range(6):
        for column in range(4):
            x, y = (v[:, :, row : row + 11, column : column + 11] for v in (picture, target))
            mx, my = ((weight * v).sum(dim=(2, 3)) for v in (x, y))
            vx, vy = ((weight * v**2).sum(dim=(2, 3)) - m**2 for v, m in ((x, mx), (y, my)))
            cov = (weight * x * y).sum(dim=(2, 3)) - mx * my
            total += ((2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))).mean(1)
    torch.testing.assert_close(ssim(picture, target), total / 24, atol=1e-4, rtol=0)
    torch.testing.assert_close(ssim(target, target), torch.ones(2), atol=1e-5, rtol=0)


def test_mse_and_psnr_of_clips_equal_torchmetrics() -> None:
    clips = make_clips(6, "test", 0, 4, 4, 64)
    columns = {n: torch.from_numpy(v) for n, v in clips.items() if v.dtype.kind != "S"}
    batch = columns | {"video": to_float(columns["video"])}
    noise = torch.randn(batch["video"].shape, generator=torch.Generator().manual_seed(0))
    reconstruction = ((batch["video"] + 0.05 * noise).clamp(0, 1) * 255).round() / 255
    board = ReconstructionScoreboard()
    board.update(batch, reconstruction)
    row = board.compute()["rows"]["model"]
    square = mean_squared_error(reconstruction.contiguous(), batch["video"].contiguous())
    ratio = peak_signal_noise_ratio(reconstruction, batch["video"], data_range=1.0)
    assert row["mse"] == pytest.approx(float(square), rel=1e-5)
    assert row["psnr"] == pytest.approx(float(ratio), abs=1e-4)
