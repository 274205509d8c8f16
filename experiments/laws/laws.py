"""Try the laws of measurement on dataset folders: a perfect copy is perfect, and a slightly noisy one nearly so.

    python experiments/laws/laws.py datasets/default datasets/mine
    python experiments/laws/laws.py datasets/mine --frames 50 --out frames     # pictures with the objects outlined
    python experiments/laws/laws.py datasets/mine --frames 50 --tokenizer default     # the same of reconstructions

For each dataset the target is scored as its own reconstruction, with white noise of a standard deviation of 2/255 or
a quarter of the RMS of what moves, whichever is less, and after JPEG at quality 95. With ``--frames`` it writes
pictures of frames, in which a person can see whether the objects found are those that are there. With ``--tokenizer``
they show reconstructions below their targets: what counts as an object in its place has a magenta outline, the place
of a true object that does not count a yellow one.
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
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.reconstruction.areas import disc_mask
from trajvq.metrics.reconstruction.counterparts import find_counterparts
from trajvq.metrics.reconstruction.objects import clip_figures
from trajvq.metrics.reconstruction.truth import Truth, truth_of
from trajvq.tokens import FrozenTokenizer

FIGURES = ("visible", "surplus", "centroid_error")
CLIPS, BATCH = 40, 10
SCALE, COLUMNS = 4, 10  # of a picture: enlargement, and frames in a row
COLORS = ((255, 0, 255), (255, 220, 0))


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


def evenly_spaced(clips: Clips, count: int) -> list[int]:
    """Return numbers of clips spread evenly over a split."""
    return np.unique(np.linspace(0, len(clips) - 1, min(count, len(clips))).astype(int)).tolist()


def truths_of(clips: Clips, count: int = CLIPS) -> list[Truth]:
    """Return the truth of some clips of a split; see `evenly_spaced`."""
    numbers = evenly_spaced(clips, count)
    batches = [clips.batch(numbers[first : first + BATCH]) for first in range(0, len(numbers), BATCH)]
    return [truth_of(batch | {"video": to_float(batch["video"])}) for batch in batches]


def outlined(frame: Bytes, *labels: np.ndarray, above: Bytes | None = None) -> Image.Image:
    """Return a frame uint8 ``(3, H, W)`` enlarged, with a line around every object of ``(H, W)``, below a picture.

    Args:
        frame: The frame.
        labels: One or two arrays, outlined in magenta and in yellow.
        above: Another frame; the default is the same without lines.
    """

    def enlarged(picture: np.ndarray) -> np.ndarray:
        return picture.repeat(SCALE, axis=0).repeat(SCALE, axis=1)

    marked = enlarged(frame.transpose(1, 2, 0))
    for number, color in zip(map(enlarged, labels), COLORS, strict=False):
        edge = np.zeros(number.shape, dtype=bool)
        edge[1:] |= number[1:] != number[:-1]
        edge[:, 1:] |= number[:, 1:] != number[:, :-1]
        marked[edge] = color
    first = enlarged((frame if above is None else above).transpose(1, 2, 0))
    return Image.fromarray(np.concatenate([first, marked], axis=0))


def reconstructed(truth: Truth, tokenizer: FrozenTokenizer) -> tuple[Bytes, np.ndarray, np.ndarray]:
    """Return reconstructions of targets, and the labels ``(N, T, H, W)`` of objects in their place and of missed ones.

    The number of an object rises with the row of the truth.
    """
    video = to_float(torch.from_numpy(truth.video))
    decoded = to_uint8(tokenizer.decode(tokenizer.encode(video)))
    own, number = find_counterparts(truth, decoded), np.arange(1, truth.valid.shape[2] + 1)[:, None, None]
    visible = own.matched & (own.surplus == 0)[..., None]
    centers = (
        np.where((visible & truth.valid)[..., None], own.pixel, np.nan),
        np.where((~visible & truth.valid)[..., None], truth.pixel, np.nan),
    )
    sizes = np.where(visible, own.radius, truth.radius)
    kinds = [(disc_mask(pixel, sizes + 1, *decoded.shape[-2:]) * number).max(axis=2) for pixel in centers]
    return decoded, kinds[0], kinds[1]


def save_frames(clips: Clips, count: int, path: Path, tokenizer: FrozenTokenizer | None = None) -> list[str]:
    """Write a picture of frames, in rows from left to right, and return their names.

    With a tokenizer, targets are above and reconstructions below.

    Returns:
        Split, clip and frame of each; with a tokenizer also how many of its objects are visible, of how many.
    """
    names, pictures, numbers = [], [], evenly_spaced(clips, count)
    for truth, clip in zip(truths_of(clips, count), range(0, count, BATCH), strict=False):
        decoded = None if tokenizer is None else reconstructed(truth, tokenizer)
        for row in range(len(truth.video)):
            frame = (7 * (clip + row)) % truth.video.shape[1]
            names.append(f"{clips.split} {numbers[clip + row]} {frame}")
            if decoded is None:
                pictures.append(outlined(truth.video[row, frame], truth.labels[row, frame]))
                continue
            video, in_place, missed = (each[row, frame] for each in decoded)
            names[-1] += f": {len(np.unique(in_place)) - 1} of {truth.valid[row, frame].sum()}"
            pictures.append(outlined(video, in_place, missed, above=truth.video[row, frame]))
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
    parser.add_argument("--tokenizer", help="show its reconstructions: a checkpoint, an exported folder, or default")
    parser.add_argument("--out", type=Path, default=Path("frames"))
    args = parser.parse_args()
    torch.set_num_threads(2)
    tokenizer = FrozenTokenizer(args.tokenizer) if args.tokenizer else None
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
            names = save_frames(clips, args.frames, args.out / f"{folder.name}.png", tokenizer)
            print(*names, sep="\n")


if __name__ == "__main__":
    main()
