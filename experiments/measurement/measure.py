"""How far the tracker and the judge can be trusted.

    python experiments/measurement/measure.py tracker
    python experiments/measurement/measure.py judge [--ckpt_path PATH] [--data DIR]

`judge` writes confusion matrices on true points, tracked truth and, with a checkpoint, tracked reconstructions;
it is calibrated on `val` and looked at on `test`.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from trajvq.data.clips import Clips
from trajvq.data.datamodule import as_model_input
from trajvq.data.scene import make_clips
from trajvq.metrics.judge import calibrate, confusion, fit_families
from trajvq.metrics.reconstruction import as_bytes, truth_of
from trajvq.metrics.tracking import track
from trajvq.tokens import load_tokenizer

CLIPS = 400


def tracker() -> None:
    """Compare tracked places with true ones, preset by preset."""
    print("| preset | split | radius, px | mean error, px | worst | seen | mean by phase of x, tenths of a pixel |")
    print("|---|---|---|---|---|---|---|")
    for preset in ("default", "seed200", "hard"):
        for split in ("test", "ood_size", "ood_color"):
            clips = make_clips(0, split, 0, CLIPS, 16, 64, preset)
            batch = {name: torch.from_numpy(v) for name, v in clips.items() if v.dtype.kind != "S"}
            truth = truth_of(batch | {"video": as_model_input(batch["video"])})
            seen = track(truth.video, truth.background, truth.contrast, np.pi * truth.radius**2)
            error = np.linalg.norm(seen.pixel - truth.pixel, axis=-1)
            used = truth.charged & seen.present
            phase = (truth.pixel[..., 0][used] % 1 * 10).astype(int)
            bins = " ".join(f"{error[used][phase == k].mean():.3f}" for k in range(10))
            radius = f"{truth.radius.min():.1f} to {truth.radius.max():.1f}"
            share = f"{used.sum() / truth.charged.sum():.2%}"
            mean, worst = f"{error[used].mean():.4f}", f"{error[used].max():.3f}"
            print(f"| {preset} | {split} | {radius} | {mean} | {worst} | {share} | {bins} |")


def judge(data: Path, checkpoint: Path | None) -> None:
    """Judge the classes of the test split from three sources of points."""
    tokenizer = load_tokenizer(checkpoint) if checkpoint else None
    held: dict[str, dict[str, np.ndarray]] = {}
    for split in ("val", "test"):
        clips = Clips(data, split)
        points: dict[str, list[np.ndarray]] = {"true points": [], "tracked truth": []}
        for batch in clips.loader(50):
            batch["video"] = as_model_input(batch["video"])
            truth = truth_of(batch)
            area = np.pi * truth.radius**2
            points["true points"].append(truth.pixel)
            points["tracked truth"].append(track(truth.video, truth.background, truth.contrast, area).pixel)
            if tokenizer is not None:
                with torch.no_grad():
                    made = as_bytes(tokenizer.decode(tokenizer.encode(batch["video"])))
                seen = track(made, truth.background, truth.contrast, area).pixel
                points.setdefault("tracked reconstructions", []).append(seen)
        held[split] = {name: np.concatenate(of) for name, of in points.items()}
        held[split]["label"] = clips.columns["label"].numpy()
        held[split]["identifiable"] = clips.columns["identifiable"].numpy()
    classes = tuple(clips.manifest.classes)
    val, test = held["val"], held["test"]
    for source in ("true points", "tracked truth", "tracked reconstructions"):
        if source not in test:
            continue
        start = time.monotonic()
        known = calibrate(val[source], val["true points"], val["label"], classes)
        judged = known.choose(fit_families(test[source]))
        seconds = time.monotonic() - start
        right, clear = judged == test["label"], test["identifiable"]
        print(
            f"\n{source}: {right.mean():.4f} right, {right[clear].mean():.4f} of the {clear.sum()} identifiable; ",
            end="",
        )
        print(f"sigma {known.sigma:.4f} px; {len(val['label'])} + {len(judged)} clips in {seconds:.1f} s\n")
        print("| true class | " + " | ".join((*classes, "none")) + " |\n|" + "---|" * (len(classes) + 2))
        for name, row in zip(classes, confusion(test["label"], judged, len(classes)), strict=True):
            print(f"| {name} | " + " | ".join(map(str, row)) + " |")


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=("tracker", "judge"))
    parser.add_argument("--data", type=Path, default=Path("datasets/default"))
    parser.add_argument("--ckpt_path", type=Path)
    asked = parser.parse_args()
    if asked.study == "tracker":
        tracker()
    else:
        judge(asked.data, asked.ckpt_path)


if __name__ == "__main__":
    main()
