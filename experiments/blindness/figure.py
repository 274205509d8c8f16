"""Plot the reconstructions of several tokenizers, labeled with their PSNR and visibility.

    python experiments/blindness/figure.py --data datasets/default --out blindness.png NAME=CLIPS,BOARD ...

CLIPS is the .npz or .h5 file that was scored, BOARD the scoreboard that `trajvq score` wrote for it.
"""

import argparse
import json
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the filter
import matplotlib
import numpy as np

from trajvq.data.storage.clips import Clips
from trajvq.metrics.scoreboard import value_of

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLUMNS, FRAME = 9, 8  # clips to plot, and the frame of each


def read(path: Path, rows: list[int]) -> np.ndarray:
    """Read some clips, uint8 ``(N, T, 3, H, W)``."""
    if path.suffix == ".npz":
        with np.load(path) as archive:
            return np.asarray(archive["video"][rows])
    with h5py.File(path) as file:
        order = file["index"][:].tolist() if "index" in file else list(range(len(file["video"])))
        return np.stack([file["video"][order.index(row)] for row in rows])


def main() -> None:
    """Plot the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("tokenizers", nargs="+", metavar="NAME=CLIPS,BOARD")
    args = parser.parse_args()
    clips = Clips(args.data, "test")
    rows = np.linspace(0, len(clips) - 1, COLUMNS).astype(int).tolist()
    truth = clips.batch(rows)["video"].numpy()
    lines: list[tuple[str, np.ndarray, dict[str, float] | None]] = [("original", truth, None)]
    for number, tokenizer in enumerate(args.tokenizers):
        name, paths = tokenizer.split("=")
        video, board = paths.split(",")
        rows_of_board = json.loads(Path(board).read_text())["rows"]
        if number == 0:
            figures = {n: value_of(f) for n, f in rows_of_board["blank"].items()}
            lines.append(("a blank clip", np.full_like(truth, 255), figures))
        figures = {n: value_of(f) for n, f in rows_of_board["model"].items() if not isinstance(f, list)}
        lines.append((name, read(Path(video), rows), figures))
    figure, axes = plt.subplots(len(lines), 1, figsize=(11, 1.12 * len(lines) + 0.4))
    for axis, (name, video, row) in zip(axes, lines, strict=True):
        frames = np.pad(video[:, FRAME].transpose(0, 2, 3, 1), ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=190)
        axis.imshow(np.concatenate(list(frames), axis=1), interpolation="nearest")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
        label = name
        if row is not None:
            label += f"\nPSNR {row['psnr']:.1f} dB, visible {row['visible']:.1%}"
        missing = row is not None and row["visible"] < 0.5
        axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9, color="#cf222e" if missing else "black")
    figure.tight_layout()
    figure.savefig(args.out, dpi=110, bbox_inches="tight")  # includes the labels to the left of the axes


if __name__ == "__main__":
    main()
