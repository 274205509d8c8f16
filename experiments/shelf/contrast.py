"""Write the same clips with another contrast, for the shelf: as they are, an eighth, inverted, shifted.

    python experiments/shelf/contrast.py --data datasets/default --out contrast
    TRAJVQ_CLIPS=contrast python experiments/shelf/shelf.py --steps 1000 \
        --sets contrast1.npz eighth.npz inverted.npz shifted.npz

All are rounded to uint8, so an eighth of the contrast has an eighth of the levels.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.clips import Clips

Levels = NDArray[np.float32]
WHITE = 255
VARIANTS: dict[str, Callable[[Levels], Levels]] = {
    "contrast1": lambda video: video,
    "eighth": lambda video: WHITE - (WHITE - video) / 8,
    "inverted": lambda video: WHITE - video,
    "shifted": lambda video: WHITE - (WHITE - video) / 2 - 64,  # half the contrast, or levels would leave the range
}


def main() -> None:
    """Write one ``.npz`` for each variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("datasets/default"), help="dataset folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--clips", type=int, default=2000, help="of the split train (default: %(default)s)")
    args = parser.parse_args()
    clips = Clips(args.data, "train")
    video = clips.batch(list(range(min(args.clips, len(clips)))))["video"].numpy().astype(np.float32)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, change in VARIANTS.items():
        np.savez_compressed(args.out / f"{name}.npz", videos=change(video).round().astype(np.uint8))


if __name__ == "__main__":
    main()
