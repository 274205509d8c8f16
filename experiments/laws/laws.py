"""Try the laws of measurement on dataset folders: a perfect copy is perfect, and a slightly noisy one nearly so.

    python experiments/laws/laws.py datasets/default datasets/mine
    python experiments/laws/laws.py datasets/mine --frames 50 --out frames     # pictures with the objects outlined

For each dataset the target is scored as its own reconstruction, with white noise of a standard deviation of 2/255 or
a quarter of the RMS of what moves, whichever is less, and after JPEG at quality 95. With ``--frames`` it writes
pictures of frames, in which a person can see whether the objects found are those that are there.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from trajvq.data.storage.clips import Clips
from trajvq.io.arrays import Bytes
from trajvq.io.video import to_float
from trajvq.metrics.reconstruction.objects import clip_figures
from trajvq.metrics.reconstruction.truth import Truth, truth_of

FIGURES = ("visible", "surplus", "centroid_error")
CLIPS, BATCH = 40, 10
SCALE, COLUMNS = 4, 10  # of a picture: enlargement, and frames in a row


def noisy(truth: Truth) -> Bytes:
    """Return targets with white noise."""
    rng, video = np.random.default_rng(0), truth.video.astype(np.float32)
    difference = np.square(video - video.mean(axis=1, keepdims=True)).mean(axis=2)
    moving = np.where(truth.moves, (difference * truth.moving).sum(axis=(1, 2, 3)), np.inf)
    rms = np.sqrt(moving / np.maximum(truth.moving.sum(axis=(1, 2, 3)), 1))
    deviation = np.minimum(2.0, rms / 4)[:, None, None, None, None]
    noise = rng.standard_normal(video.shape, dtype=np.float32) * deviation
    return np.asarray(np.clip(np.rint(video + noise), 0, 255), dtype=np.uint8)


def compressed(truth: Truth) -> Bytes:
    """Return targets after JPEG at quality 95, frame by frame."""
    video = np.empty_like(truth.video)
    for frame in np.ndindex(video.shape[:2]):
        file = io.BytesIO()
        Image.fromarray(truth.video[frame].transpose(1, 2, 0)).save(file, "JPEG", quality=95)
        video[frame] = np.asarray(Image.open(file)).transpose(2, 0, 1)
    return video


COPIES: dict[str, Callable[[Truth], Bytes]] = {
    "identity": lambda truth: truth.video,
    "noise": noisy,
    "jpeg": compressed,
}


def laws(truths: list[Truth]) -> dict[str, dict[str, float]]:
    """Return the figures of the copies of targets; those of objects are left out where there are none."""
    rows: dict[str, dict[str, float]] = {}
    for name, copy in COPIES.items():
        parts = [clip_figures(truth, copy(truth)) for truth in truths]
        rows[name] = {"surplus": float(np.mean([part["surplus"].mean() for part in parts]))}
        for figure in ("visible", "centroid_error"):
            values = np.concatenate([part[figure][part["valid"] > 0] for part in parts])
            if len(values):
                rows[name][figure] = float(values.mean())
    return rows


def truths_of(clips: Clips, count: int = CLIPS) -> list[Truth]:
    """Return the truth of clips spread evenly over a split."""
    numbers = np.unique(np.linspace(0, len(clips) - 1, min(count, len(clips))).astype(int)).tolist()
    batches = [clips.batch(numbers[first : first + BATCH]) for first in range(0, len(numbers), BATCH)]
    return [truth_of(batch | {"video": to_float(batch["video"])}) for batch in batches]


def outlined(frame: Bytes, labels: np.ndarray) -> Image.Image:
    """Return a frame uint8 ``(3, H, W)`` enlarged, beside itself with a line around every object of ``(H, W)``."""
    large = frame.transpose(1, 2, 0).repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    number = labels.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    edge = np.zeros(number.shape, dtype=bool)
    edge[1:] |= number[1:] != number[:-1]
    edge[:, 1:] |= number[:, 1:] != number[:, :-1]
    marked = large.copy()
    marked[edge] = (255, 0, 255)
    return Image.fromarray(np.concatenate([large, marked], axis=0))


def save_frames(clips: Clips, count: int, path: Path) -> list[str]:
    """Write a picture of frames, in rows from left to right, and return their names: split, clip and frame."""
    names, pictures = [], []
    for truth, clip in zip(truths_of(clips, count), range(0, count, BATCH), strict=False):
        for row in range(len(truth.video)):
            frame = (7 * (clip + row)) % truth.video.shape[1]
            names.append(f"{clips.split} {clip + row} {frame}")
            pictures.append(outlined(truth.video[row, frame], truth.labels[row, frame]))
    width, height = pictures[0].size
    sheet = Image.new("RGB", (COLUMNS * width, -(-len(pictures) // COLUMNS) * height))
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (number % COLUMNS * width, number // COLUMNS * height))
    sheet.save(path)
    return names


def main() -> None:
    """Print a table of the laws, or write pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=CLIPS, help=f"clips of each dataset (default: {CLIPS})")
    parser.add_argument("--frames", type=int, default=0, help="write a picture of that many frames of each dataset")
    parser.add_argument("--out", type=Path, default=Path("frames"))
    args = parser.parse_args()
    torch.set_num_threads(2)
    print("| dataset | truth | objects a frame | copy | visible | surplus | centroid error, px |")
    print("|---|---|---|---|---|---|---|")
    for folder in args.datasets:
        clips = Clips(folder, args.split)
        truths = truths_of(clips, args.clips)
        objects = np.mean([truth.valid.sum(axis=2).mean() for truth in truths])
        kind = "tracked" if truths[0].tracked else "stored"
        for name, row in laws(truths).items():
            cells = [f"{row[figure]:.4f}" if figure in row else "–" for figure in FIGURES]
            print(f"| {folder.name} | {kind} | {objects:.2f} | {name} | {' | '.join(cells)} |", flush=True)
        if args.frames:
            args.out.mkdir(parents=True, exist_ok=True)
            save_frames(clips, args.frames, args.out / f"{folder.name}.png")


if __name__ == "__main__":
    main()
