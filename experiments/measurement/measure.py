"""Measure how accurate the tracker and the judge are.

    python experiments/measurement/measure.py tracker
    python experiments/measurement/measure.py judge [--ckpt_path PATH] [--data DIR]
    python experiments/measurement/measure.py budget --ckpt_path PATH [--data DIR]

`judge` prints confusion matrices of objects on true points, tracked truth and, with a checkpoint, tracked
reconstructions. It is calibrated on `val` and evaluated on `test`.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.scene import make_clips
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.forecast.budget import error_budget
from trajvq.metrics.judge import calibrate, confusion
from trajvq.metrics.reconstruction.truth import truth_of
from trajvq.metrics.sampling.objects import Objects, flat, objects_to_see
from trajvq.metrics.tracking import track
from trajvq.tokens import load_tokenizer

CLIPS = 400


def tracker() -> None:
    """Compare tracked positions with true ones, for each preset."""
    print("| preset | split | radius, px | mean error, px | worst | detected | mean by phase of x, tenths of a pixel |")
    print("|---|---|---|---|---|---|---|")
    for preset in ("default", "seed200", "hard"):
        for split in ("test", "ood_size", "ood_color"):
            clips = make_clips(0, split, 0, CLIPS, 16, 64, preset)
            batch = {name: torch.from_numpy(v) for name, v in clips.items() if v.dtype.kind != "S"}
            truth = truth_of(batch | {"video": to_float(batch["video"])})
            tracks = track(truth.video, truth.background, truth.contrast, np.pi * truth.radius**2)
            error = np.linalg.norm(tracks.pixel[:, :, 0] - truth.pixel[:, :, 0], axis=-1)
            used = truth.valid[:, :, 0] & (tracks.count > 0)
            phase = (truth.pixel[:, :, 0, 0][used] % 1 * 10).astype(int)
            bins = " ".join(f"{error[used][phase == k].mean():.3f}" for k in range(10))
            radius = f"{truth.radius.min():.1f} to {truth.radius.max():.1f}"
            share = f"{used.sum() / truth.valid.sum():.2%}"
            mean, worst = f"{error[used].mean():.4f}", f"{error[used].max():.3f}"
            print(f"| {preset} | {split} | {radius} | {mean} | {worst} | {share} | {bins} |")


def judge(data: Path, checkpoint: Path | None) -> None:
    """Judge the objects of the test split from three sources of points."""
    tokenizer = load_tokenizer(checkpoint) if checkpoint else None
    splits: dict[str, dict[str, np.ndarray]] = {}
    for split in ("val", "test"):
        clips = Clips(data, split)
        parts: dict[str, list[np.ndarray]] = {}
        for batch in clips.loader(50):
            batch["video"] = to_float(batch["video"])
            truth = truth_of(batch)
            videos = {"tracked truth": truth.video}
            if tokenizer is not None:
                with torch.no_grad():
                    videos["tracked reconstructions"] = to_uint8(tokenizer.decode(tokenizer.encode(batch["video"])))
            area = np.pi * truth.radius**2
            tracked = {name: track(video, truth.background, truth.contrast, area) for name, video in videos.items()}
            of = {name: Objects.of_real(tracks, truth.pixel, truth.valid) for name, tracks in tracked.items()}
            own = of["tracked truth"]
            columns = {name: objects.pixel for name, objects in of.items()}
            columns |= {"true points": flat(truth.pixel, truth.valid), "valid": own.valid}
            columns["label"] = batch["label"].numpy()[own.clip]
            columns["identifiable"] = batch["identifiable"].numpy()[objects_to_see(truth.valid)]
            for name, column in columns.items():
                parts.setdefault(name, []).append(column)
        splits[split] = {name: np.concatenate(part) for name, part in parts.items()}
    classes = tuple(clips.manifest.classes)
    val, test = splits["val"], splits["test"]
    for source in ("true points", "tracked truth", "tracked reconstructions"):
        if source not in test:
            continue
        start = time.monotonic()
        calibrated = calibrate(val[source], val["true points"], val["label"], classes, val["valid"])
        judged = calibrated.classify(test[source], test["valid"])
        seconds = time.monotonic() - start
        correct, clear = judged == test["label"], test["identifiable"]
        accuracy = f"{correct.mean():.4f} correct, {correct[clear].mean():.4f} of the {clear.sum()} identifiable"
        sigma = f"sigma {calibrated.sigma:.4f} px"
        print(f"\n{source}: {accuracy}; {sigma}; {len(val['label'])} + {len(judged)} objects in {seconds:.1f} s\n")
        print("| true class | " + " | ".join((*classes, "none")) + " |\n|" + "---|" * (len(classes) + 2))
        for name, row in zip(classes, confusion(test["label"], judged, len(classes)), strict=True):
            print(f"| {name} | " + " | ".join(map(str, row)) + " |")


def budget(data: Path, checkpoint: Path) -> None:
    """Split the error of classical predictions from 8 reconstructed frames, for the 8 that follow."""
    tokenizer, half = load_tokenizer(checkpoint), 8
    paths: list[list[np.ndarray]] = [[], [], []]
    for batch in Clips(data, "test").loader(50):
        batch["video"] = to_float(batch["video"])
        truth = truth_of(batch)
        area = np.pi * truth.radius**2
        with torch.no_grad():
            reconstruction = to_uint8(tokenizer.decode(tokenizer.encode(batch["video"])))
        paths[0].append(truth.pixel[:, :, 0])
        paths[1].append(track(truth.video, truth.background, truth.contrast, area).pixel[:, :, 0])
        paths[2].append(track(reconstruction, truth.background, truth.contrast, area).pixel[:, :, 0])
    true, tracked, reconstructed = (np.concatenate(of) for of in paths)
    time = np.arange(true.shape[1], dtype=float)
    print("| predictor | extractor | tokenizer | dynamics | together | total, px² | RMS, px |\n|" + "---|" * 7)
    for name, degree in (("constant velocity, least squares", 1), ("quadratic", 2)):
        basis = np.vander(time - half, degree + 1)
        context = np.nan_to_num(reconstructed[:, :half], nan=float(np.nanmean(reconstructed)))
        fitted = np.einsum("tp,pk,nkc->ntc", basis, np.linalg.pinv(basis[:half]), context)
        shares = error_budget(true[:, half:], tracked[:, half:], reconstructed[:, half:], fitted[:, half:])
        parts = " | ".join(
            f"{shares[part]:.4f}" for part in ("extractor", "tokenizer", "dynamics", "together", "total")
        )
        print(f"| {name} | {parts} | {shares['total'] ** 0.5:.3f} |")


def main() -> None:
    """Run one study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=("tracker", "judge", "budget"))
    parser.add_argument("--data", type=Path, default=Path("datasets/default"))
    parser.add_argument("--ckpt_path", type=Path)
    args = parser.parse_args()
    if args.study == "tracker":
        tracker()
    elif args.study == "budget":
        if args.ckpt_path is None:
            parser.error("budget needs --ckpt_path")
        budget(args.data, args.ckpt_path)
    else:
        judge(args.data, args.ckpt_path)


if __name__ == "__main__":
    main()
