"""Frames predicted from frames, without tokens: convolutions in space, mixed over time (as SimVP, Gao et al., 2022).

All frames to come at once from those given; trained on what follows the first frames of clips, and, turned and
mirrored, on the same reconstruction loss as the tokenizer. Writes clips that ``trajvq score --task forecast`` reads.
"""

import argparse
import time
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.augment import ClipSymmetries
from trajvq.data.order import TrainingOrder
from trajvq.data.storage.clips import Clips
from trajvq.io.video import to_float, to_uint8
from trajvq.losses import BalancedLoss
from trajvq.metrics.forecast.errors import forecast_figures
from trajvq.metrics.forecast.predictions import tracked_as
from trajvq.metrics.reconstruction.metric import background_of, truth_of
from trajvq.optim.schedule import adamw

BATCH, EVALUATED = 16, 50


class Mixer(nn.Module):
    """A wide depthwise convolution and a perceptron at each place, beside an identity (ConvNeXt)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.widen, self.narrow = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = x + self.narrow(F.gelu(self.widen(self.norm(self.mix(x)))))
        return made


class PixelForecaster(nn.Module):
    """Departures from the background: each frame to cells of 4 x 4 px, all frames mixed, and back.

    Args:
        given: Frames given.
        horizon: Frames predicted.
        channels: Of a frame.
        width: Of all frames together.
        depth: Mixers.
    """

    def __init__(self, given: int, horizon: int, channels: int = 32, width: int = 288, depth: int = 8) -> None:
        super().__init__()
        self.given, self.horizon = given, horizon
        self.shrink = nn.Sequential(
            nn.Conv2d(3, channels, 4, stride=2, padding=1), nn.GELU(), nn.Conv2d(channels, channels, 4, 2, 1), nn.GELU()
        )
        self.inward = nn.Conv2d(given * channels, width, 1)
        self.mixers = nn.Sequential(*(Mixer(width) for _ in range(depth)))
        self.outward = nn.Conv2d(width, horizon * channels, 1)
        self.grow = nn.Sequential(
            nn.GELU(),
            nn.ConvTranspose2d(channels, channels, 4, 2, 1),
            nn.GELU(),
            nn.ConvTranspose2d(channels, 3, 4, 2, 1),
        )

    def forward(self, video: Tensor, background: Tensor) -> Tensor:
        """Return frames ``(B, 3, M, H, W)`` that follow frames ``(B, 3, n, H, W)``, given ``(B, 3, 1, H, W)``."""
        count = len(video)
        frames = (video - background).transpose(1, 2).flatten(0, 1)
        cells = self.shrink(frames).unflatten(0, (count, self.given)).flatten(1, 2)
        later = self.outward(self.mixers(self.inward(cells))).unflatten(1, (self.horizon, -1)).flatten(0, 1)
        made: Tensor = self.grow(later).unflatten(0, (count, self.horizon)).transpose(1, 2) + background
        return made


def foreseen(network: PixelForecaster, clips: Clips, count: int) -> tuple[np.ndarray, float]:
    """Return the first clips with their later frames foreseen, uint8 ``(N, T, 3, H, W)``, and their ``ade``."""
    made, truth, seen, valid = [], [], [], []
    for rows in torch.arange(count).split(EVALUATED):
        batch = clips.batch(rows.tolist())
        video = to_float(batch["video"])
        known = batch | {"video": video}
        with torch.no_grad():
            later = network(video[:, :, : network.given], background_of(known)).clamp(0, 1)
        true = truth_of(known)
        made.append(np.concatenate([batch["video"][:, : network.given].numpy(), to_uint8(later)], axis=1))
        truth.append(true.pixel[:, network.given :])
        valid.append(true.valid[:, network.given :])
        seen.append(tracked_as(true, made[-1][:, network.given :], network.given).pixel)
    figures = forecast_figures(*(np.concatenate(part) for part in (truth, valid, seen)))
    return np.concatenate(made), figures["ade"]["value"]


def main() -> None:
    """Train for so many seconds of this process, and write the clips of ``test`` with their later frames foreseen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("datasets/default"))
    parser.add_argument("--context", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=540, help="of the processor, in training")
    parser.add_argument("--steps", type=int, default=100_000, help="at most; the learning rate follows the clock")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", default="test")
    parser.add_argument("--out", type=Path, default=Path("pixels.h5"))
    asked = parser.parse_args()
    torch.manual_seed(asked.seed)
    train, val = Clips(asked.data, "train"), Clips(asked.data, "val")
    network = PixelForecaster(asked.context, train.shape[0] - asked.context)
    print(f"{sum(p.numel() for p in network.parameters()):,} weights", flush=True)
    loss_of, augment = BalancedLoss(), ClipSymmetries(shift=2)
    optimizer = adamw(network.parameters(), 2e-3, 1, asked.steps, (0.9, 0.99), 0.01)["optimizer"]
    start, step, said = time.process_time(), 0, 60.0
    for rows in TrainingOrder(len(train), BATCH, asked.steps, seed=asked.seed):
        done = (time.process_time() - start) / asked.seconds
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * done))
        batch = train.batch(rows)
        video = augment(to_float(batch["video"]))
        background = background_of({"video": video})
        made = network(video[:, :, : asked.context], background)
        loss = loss_of(made, video[:, :, asked.context :], background)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        if done * asked.seconds > said:
            said += 60
            print(f"{step} steps, loss {loss.item():.4f}, val ade {foreseen(network, val, 100)[1]:.3f} px", flush=True)
    print(f"{step} steps of {BATCH} clips in {time.process_time() - start:.0f} s of the processor")
    clips = Clips(asked.data, asked.split)
    video, ade = foreseen(network, clips, len(clips))
    print(f"{asked.split}: ade {ade:.3f} px")
    with h5py.File(asked.out, "w") as file:
        file.create_dataset("video", data=video, chunks=(1, *video.shape[1:]), **hdf5plugin.Zstd(clevel=1))


if __name__ == "__main__":
    main()
