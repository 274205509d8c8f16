"""Rendered clips of several objects on white, for tests."""

import numpy as np
import torch
from torch import Tensor

from trajvq.data.synthetic.render import render_discs

GAP = 2.5  # px between outlines; objects that are closer count as touching


def scene(clips: int, objects: int, seed: int = 0, frames: int = 16, size: int = 64) -> dict[str, Tensor]:
    """Return stored columns of clips whose discs, of radius 1.5 to 6 px, move on straight lines through one another."""
    rng = np.random.default_rng(seed)
    video = np.full((clips, frames, 3, size, size), 255, dtype=np.uint8)
    radius = np.repeat(rng.uniform(1.5, 6, (clips, 1, objects)), frames, axis=1)
    start, end = rng.uniform(7, size - 7, (2, clips, 1, objects, 2))
    pixel = start + (end - start) * np.linspace(0, 1, frames)[:, None, None]
    color = rng.integers(0, 160, (clips, objects, 3)).astype(np.uint8)
    for k in range(objects):
        render_discs(video, pixel[:, :, k], radius[:, :, k], color[:, k])
    gap = np.linalg.norm(pixel[:, :, :, None] - pixel[:, :, None], axis=-1) - radius[..., None] - radius[:, :, None]
    gap[:, :, np.arange(objects), np.arange(objects)] = np.inf
    columns = {
        "video": video,
        "pixel": pixel,
        "radius": radius,
        "color": color,
        "occluded": (gap < GAP).any(axis=-1),
        "background": np.full((clips, 3), 255, dtype=np.uint8),
    }
    return {name: torch.from_numpy(value) for name, value in columns.items()}
