"""Measure sampling settings on ``val``: class match, physics and coverage by temperature, noise scale and guidance.

python experiments/sampling/sweep.py --settings 0.5,0.5,1 0.5,0.3,1 0.3,0.3,1 0.3,0.3,2

A setting is temperature, noise_scale, guidance. The same number of clips is sampled for each class and judged as in
``trajvq test``, without filtering. The judge is calibrated on reconstructions of ``val``, which are also the real clips
of coverage. `gan_train` is the accuracy on ``val`` of a classifier trained on the samples. `colors` is the variety of
colors among samples, divided by that of ``val``.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from trajvq.augment import ClipSymmetries
from trajvq.data.storage.clips import Clips
from trajvq.io.video import to_float
from trajvq.metrics.scoreboard import value_of
from trajvq.metrics.tracking import Tracks
from trajvq.models.sampling import Sampling
from trajvq.tasks.sample_scoreboard import SampleScoreboard
from trajvq.tasks.tracked_clips import RealClips, TrackedClips, TrainingClips
from trajvq.tokens.sampling import Loaded, load_generator, sample_clips

FIGURES = {"physics_residual": ".2f", "none": ".3f", "visible": ".4f", "coverage": ".3f", "gan_train": ".4f"}


def color_std(tracks: Tracks) -> float:
    """Return the variety of colors among clips: the mean standard deviation of a channel."""
    return float(np.nanmean(np.nanstd(np.nanmedian(tracks.color[:, :, 0], axis=1), axis=0)))


def reconstructed(loaded: Loaded, clips: Clips) -> TrackedClips:
    """Encode clips, decode them and track the object."""
    rows = torch.arange(len(clips)).split(50)
    with torch.no_grad():
        tokens = torch.cat([loaded.tokenizer.encode(to_float(clips.batch(r.tolist())["video"])) for r in rows])
    return TrackedClips.decoded(loaded.tokenizer, tokens, clips.columns["label"])


def main() -> None:
    """Sample, judge and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt_path", type=Path, default=Path("runs/sample/latest/checkpoints/best.ckpt"))
    parser.add_argument("--data", type=Path, default=Path("datasets/default"))
    parser.add_argument("--settings", nargs="+", default=["0.5,0.5,1"], help="temperature,noise_scale,guidance")
    parser.add_argument("--num", type=int, default=100, help="clips of each class")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    loaded, clips = load_generator(args.ckpt_path), Clips(args.data, "val")
    network, classes = loaded.network, list(range(len(clips.manifest.classes)))
    tracked = reconstructed(loaded, clips)
    real = RealClips(clips, tracked)
    path = tracked.tracks.pixel[:, None, :, 0]
    train = TrainingClips.of_single(tracked.tokens[:, None], tracked.label, path)  # stands in
    augment = ClipSymmetries(["columns", "rows", "transpose", "reverse", "colors"], shift=2)
    scoreboard = SampleScoreboard(train, real, network.layout, augment)
    names = ["temperature", "noise_scale", "guidance", "class match", "lowest", *FIGURES, "colors"]
    print("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|")
    for setting in args.settings:
        temperature, noise_scale, guidance = (float(number) for number in setting.split(","))
        sampling = Sampling(temperature, 1.0, noise_scale, guidance, denoise=network.denoiser is not None)
        parts = list(sample_clips(network, classes, args.num, args.seed, sampling))
        tokens, label = (torch.cat([getattr(part, name) for part in parts]) for name in ("tokens", "label"))
        samples = TrackedClips.decoded(loaded.tokenizer, tokens, label)
        row = scoreboard.compute(real, {"model": samples})["model"]
        lowest = min(rate["value"] for rate in row["class_match_per_class"].values())
        cells = [
            f"{temperature}",
            f"{noise_scale}",
            f"{guidance}",
            f"{value_of(row['class_match']):.3f}",
            f"{lowest:.2f}",
        ]
        cells += [f"{value_of(row[name]):{digits}}" for name, digits in FIGURES.items()]
        print(
            "| " + " | ".join([*cells, f"{color_std(samples.tracks) / color_std(tracked.tracks):.2f}"]) + " |",
            flush=True,
        )


if __name__ == "__main__":
    main()
