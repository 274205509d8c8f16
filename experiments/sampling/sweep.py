"""How to draw: match, physics and coverage on ``val`` for some temperatures, spreads and guidances.

python experiments/sampling/sweep.py --settings 0.5,0.5,1 0.5,0.3,1 0.3,0.3,1 0.3,0.3,2

Each setting is temperature, noise_scale, guidance. As many clips of each class as asked for are drawn and judged as
``trajvq test`` does, none filtered; the judge is calibrated on reconstructions of ``val``, and coverage is of these.
Trained on: accuracy on ``val`` of a classifier that learnt from the drawn clips. Colors: how much those of clips
differ, over how much those of ``val`` do.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from trajvq.augment import ClipSymmetries
from trajvq.data.storage.clips import Clips
from trajvq.io.video import to_float
from trajvq.metrics.judge import calibrate
from trajvq.metrics.sampling.physics import reference_residuals, sample_figures
from trajvq.metrics.sampling.prdc import cover, features
from trajvq.metrics.tracking import Tracks
from trajvq.models.sampling import Sampling
from trajvq.tasks.sample_rows import look, trained_on
from trajvq.tokens.sampling import load_generator, sample_clips


def spread_of(tracks: Tracks) -> float:
    """Return how much the colors of clips differ: the mean standard deviation of a channel."""
    return float(np.nanmean(np.nanstd(np.nanmedian(tracks.color, axis=1), axis=0)))


def main() -> None:
    """Draw, judge and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt_path", type=Path, default=Path("runs/sample/latest/checkpoints/best.ckpt"))
    parser.add_argument("--data", type=Path, default=Path("datasets/default"))
    parser.add_argument("--settings", nargs="+", default=["0.5,0.5,1"], help="temperature,noise_scale,guidance")
    parser.add_argument("--num", type=int, default=100, help="clips of each class")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_flush_denormal(True)
    loaded, clips = load_generator(asked.ckpt_path), Clips(asked.data, "val")
    rows = torch.arange(len(clips)).split(50)
    with torch.no_grad():
        tokens = torch.cat([loaded.tokenizer.encode(to_float(clips.batch(r.tolist())["video"])) for r in rows])
    real = look(loaded.tokenizer, tokens, clips.columns["label"])
    classes = tuple(clips.manifest.classes)
    judge = calibrate(real.tracks.pixel, clips.columns["pixel"].numpy().astype(float), real.label, classes)
    usual = reference_residuals(real.tracks.pixel, real.label, classes)
    names = ("temperature", "noise_scale", "guidance", "class match", "lowest", "physics residual", "none", "visible")
    print("| " + " | ".join([*names, "coverage", "trained on", "colors"]) + " |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for setting in asked.settings:
        temperature, noise_scale, guidance = (float(word) for word in setting.split(","))
        how = Sampling(temperature=temperature, noise_scale=noise_scale, guidance=guidance)
        parts = list(sample_clips(loaded.network, list(range(len(classes))), asked.num, asked.seed, how))
        label = torch.cat([part.label for part in parts])
        drawn = look(loaded.tokenizer, torch.cat([part.tokens for part in parts]), label)
        found = sample_figures(drawn.tracks, drawn.label, judge, usual)
        lowest = min(rate["value"] for rate in found["class_match_per_class"].values())
        shuffled = np.random.default_rng(0).permutation(len(drawn.label))
        held = cover(features(real.tracks), features(drawn.tracks)[shuffled])
        taught = trained_on(drawn, real, loaded.network.layout, clips.shape[2:], ClipSymmetries(shift=2))
        colors = spread_of(drawn.tracks) / spread_of(real.tracks)
        match, visible = found["class_match"]["value"], found["visible"]["value"]
        print(
            f"| {temperature} | {noise_scale} | {guidance} | {match:.3f} | {lowest:.2f} | {found['physics_residual']:.2f} "
            f"| {found['none']:.3f} | {visible:.4f} | {held.coverage:.3f} "
            f"| {taught:.4f} | {colors:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
