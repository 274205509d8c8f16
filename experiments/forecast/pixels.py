"""Predict frames from frames without tokens: convolutions in space, mixed over time (as in SimVP, Gao et al., 2022).

The network predicts all frames at once. It is trained with the tokenizer's loss, on rotated and mirrored clips, and
writes clips that ``trajvq score --task forecast`` reads.
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
from trajvq.data.order import Batching, TrainingOrder
from trajvq.data.storage.clips import Clips
from trajvq.io.video import to_float, to_uint8
from trajvq.losses import BalancedLoss
from trajvq.metrics.forecast.errors import forecast_figures
from trajvq.metrics.forecast.predictions import compare_frames
from trajvq.metrics.reconstruction.truth import background_of, truth_of
from trajvq.optim.adamw import AdamW

BATCH, EVAL_BATCH = 16, 50


class Mixer(nn.Module):
    """A residual block: a wide depthwise convolution and a pointwise perceptron (ConvNeXt)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.widen, self.narrow = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = x + self.narrow(F.gelu(self.widen(self.norm(self.mix(x)))))
        return mixed


class PixelForecaster(nn.Module):
    """Encode each frame's difference from the background on a grid of 4 x 4 px, mix all frames, and decode.

    Args:
        context: Number of frames that are given.
        horizon: Number of frames to predict.
        channels: Channels per frame.
        width: Channels of all frames together.
        depth: Number of mixers.
    """

    def __init__(self, context: int, horizon: int, channels: int = 32, width: int = 288, depth: int = 8) -> None:
        super().__init__()
        self.context, self.horizon = context, horizon
        self.shrink = nn.Sequential(
            nn.Conv2d(3, channels, 4, stride=2, padding=1), nn.GELU(), nn.Conv2d(channels, channels, 4, 2, 1), nn.GELU()
        )
        self.inward = nn.Conv2d(context * channels, width, 1)
        self.mixers = nn.Sequential(*(Mixer(width) for _ in range(depth)))
        self.outward = nn.Conv2d(width, horizon * channels, 1)
        self.grow = nn.Sequential(
            nn.GELU(),
            nn.ConvTranspose2d(channels, channels, 4, 2, 1),
            nn.GELU(),
            nn.ConvTranspose2d(channels, 3, 4, 2, 1),
        )

    def forward(self, video: Tensor, background: Tensor) -> Tensor:
        """Return the frames ``(B, 3, M, H, W)`` after ``(B, 3, n, H, W)``; the background is ``(B, 3, 1, H, W)``."""
        count = len(video)
        frames = (video - background).transpose(1, 2).flatten(0, 1)
        cells = self.shrink(frames).unflatten(0, (count, self.context)).flatten(1, 2)
        future = self.outward(self.mixers(self.inward(cells))).unflatten(1, (self.horizon, -1)).flatten(0, 1)
        predicted: Tensor = self.grow(future).unflatten(0, (count, self.horizon)).transpose(1, 2) + background
        return predicted


def predict(network: PixelForecaster, clips: Clips, count: int) -> tuple[np.ndarray, float]:
    """Return the first clips with predicted future frames, uint8 ``(N, T, 3, H, W)``, and their ``ade``."""
    videos, parts, context = [], [], network.context
    for rows in torch.arange(count).split(EVAL_BATCH):
        batch = clips.batch(rows.tolist())
        video = to_float(batch["video"])
        float_batch = batch | {"video": video}
        with torch.no_grad():
            future = to_uint8(network(video[:, :, :context], background_of(float_batch)).clamp(0, 1))
        true = truth_of(float_batch)
        videos.append(np.concatenate([batch["video"][:, :context].numpy(), future], axis=1))
        parts.append(compare_frames(true, true.pixel, true.valid, {"model": future}, context, rows.numpy()))
    predictions = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    truth, valid = (predictions[name][:, context:] for name in ("truth", "valid"))
    figures = forecast_figures(truth, valid, predictions["model/pixel"], predictions["clip"])
    return np.concatenate(videos), figures["ade"]["value"]


def main() -> None:
    """Train for a time, then write the clips of ``test`` with predicted future frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("datasets/default"))
    parser.add_argument("--context", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=540, help="processor time of the training")
    parser.add_argument("--steps", type=int, default=100_000, help="upper limit; the learning rate follows the clock")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", default="test")
    parser.add_argument("--out", type=Path, default=Path("pixels.h5"))
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    train, val = Clips(args.data, "train"), Clips(args.data, "val")
    network = PixelForecaster(args.context, train.shape[0] - args.context)
    print(f"{sum(p.numel() for p in network.parameters()):,} weights", flush=True)
    loss_of, augment = BalancedLoss(), ClipSymmetries(["columns", "rows", "transpose", "reverse", "colors"], shift=2)
    optimizer = AdamW(network.parameters(), 2e-3, (0.9, 0.99), 0.01)
    start, step, next_report = time.process_time(), 0, 60.0
    for rows in TrainingOrder(len(train), Batching(1, BATCH), args.steps, seed=args.seed):
        progress = (time.process_time() - start) / args.seconds
        if progress >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * progress))
        batch = train.batch(rows)
        video = to_float(batch["video"])
        video, background = augment(video, background_of({"video": video}))
        predicted = network(video[:, :, : args.context], background)
        loss = loss_of(predicted, video[:, :, args.context :], background)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        if progress * args.seconds > next_report:
            next_report += 60
            print(f"{step} steps, loss {loss.item():.4f}, val ade {predict(network, val, 100)[1]:.3f} px", flush=True)
    print(f"{step} steps of {BATCH} clips in {time.process_time() - start:.0f} s of processor time")
    clips = Clips(args.data, args.split)
    forecasts, ade = predict(network, clips, len(clips))
    print(f"{args.split}: ade {ade:.3f} px")
    with h5py.File(args.out, "w") as file:
        file.create_dataset("video", data=forecasts, chunks=(1, *forecasts.shape[1:]), **hdf5plugin.Zstd(clevel=1))


if __name__ == "__main__":
    main()
