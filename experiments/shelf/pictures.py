"""A picture of a test: frames of some clips above their reconstructions, enlarged without smoothing."""

from pathlib import Path

import numpy as np

from trajvq.io.arrays import Bytes
from trajvq.metrics.details import WORST, ClipDetails
from trajvq.report.pictures import add_title, save_png

CLIPS, FRAMES = 4, 8
SIDE = 128  # pixels that a frame is enlarged to, by a whole factor
GAP, GRAY = 2, 128
CONTRAST = 150  # levels; where the targets span fewer, both clips are stretched alike


def save_picture(run: Path, path: Path) -> None:
    """Write a picture of the clips that ``trajvq test`` kept: the first ones of the split, and the worst of all.

    Args:
        run: Run folder with ``scoreboards/test.npz``.
        path: PNG to write.
    """
    details = ClipDetails.load(run / "scoreboards/test.npz")
    rows = range(len(details.kept))
    first = [row for row in rows if row >= WORST] or [row for row in rows if row > 0]
    chosen = [*first[: CLIPS - 1], 0]
    low, high = np.percentile(details.clips["target"], [0.1, 99.9])
    stretch = 255 / max(high - low, 1) if high - low < CONTRAST else 1.0
    strips = []
    for row in chosen:
        words = "the worst" if row == 0 else "one of the first"
        title = f"clip {details.index[details.kept[row]]}, {words}: target above, reconstruction below"
        pair = [details.clips[name][row] for name in ("target", "reconstruction")]
        if stretch > 1:
            title += f"; contrast x {stretch:.1f}"
            pair = [((clip - low) * stretch).clip(0, 255).round().astype(np.uint8) for clip in pair]
        strips.append(add_title(render_pair(*pair), title))
    save_png(np.concatenate(strips), path)


def render_pair(target: Bytes, reconstruction: Bytes) -> Bytes:
    """Return frames of a clip above those of its reconstruction, uint8 ``(height, width, 3)``.

    Args:
        target: uint8 ``(T, 3, H, W)``.
        reconstruction: The same shape.
    """
    frames, _, height, width = target.shape
    times = np.unique(np.linspace(0, frames - 1, FRAMES).round().astype(int))
    scale = max(1, SIDE // max(height, width))
    lines = []
    for clip in (target, reconstruction):
        enlarged = clip[times].transpose(0, 2, 3, 1).repeat(scale, axis=1).repeat(scale, axis=2)
        framed = np.pad(enlarged, ((0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=GRAY)
        lines.append(np.concatenate(list(framed), axis=1))
    return np.concatenate(lines, axis=0)
