"""Which symmetries the paths of training clips have: what windows of clips cannot show, such as the way of a turn.

N clips, T frames.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from trajvq.adaptation.two_samples import nearest, turned_ratio
from trajvq.io.video import to_float
from trajvq.metrics.tracking import join_tracks, track_clips

CLIPS, PART = 256, 8  # clips that are tracked, at most, and at a time
SINGLE = 0.9  # share of the frames that must show exactly one object
LEAST = 16  # paths of a class, from which its ratio counts
PATHS_ALIKE = 0.5  # ratio of paths from which they do not lack the symmetry; each class has few

IMAGES: dict[str, Callable[[Tensor], Tensor]] = {  # of paths (..., T, 2) in a picture from 0 to 1
    "columns": lambda path: torch.stack([1 - path[..., 0], path[..., 1]], dim=-1),
    "rows": lambda path: torch.stack([path[..., 0], 1 - path[..., 1]], dim=-1),
    "transpose": lambda path: path.flip(-1),
    "reverse": lambda path: path.flip(-2),
}


def path_symmetry_ratios(video: Tensor, label: Tensor | None) -> dict[str, float]:
    """Compare the paths of one half of the clips with those of the other half and with these turned.

    Args:
        video: uint8 ``(N, T, 3, H, W)``.
        label: int64 ``(N,)``; None for clips without classes, which are all alike.

    Returns:
        By name of a symmetry: the lowest ratio of a class, see `trajvq.adaptation.two_samples.turned_ratio`. Empty
        where clips do not show one object each, or too few do.
    """
    rows = torch.linspace(0, len(video) - 1, min(len(video), CLIPS)).long()
    parts = [track_clips(to_float(video[part])) for part in rows.split(PART)]  # type: ignore[no-untyped-call]
    tracks, size = join_tracks(parts), np.array(video.shape[:-3:-1], dtype=np.float64)  # width and height
    if (tracks.count == 1).mean() < SINGLE:
        return {}
    paths = torch.from_numpy(tracks.pixel[:, :, 0] / size).float()
    complete = paths.isfinite().flatten(1).all(dim=1)
    classes = torch.zeros(len(rows), dtype=torch.long) if label is None else label[rows]
    square = size[0] == size[1]
    ratios: dict[str, float] = {}
    for each in set(classes.tolist()):
        members = complete & (classes == each)
        if int(members.sum()) < LEAST:
            continue
        own = paths[members]
        for name, image in IMAGES.items():
            if name != "transpose" or square:
                ratios[name] = min(ratios.get(name, torch.inf), _ratio(own[::2], own[1::2], image))
    return ratios


def _ratio(first: Tensor, second: Tensor, image: Callable[[Tensor], Tensor]) -> float:
    strangers = torch.zeros(len(first), len(second), dtype=torch.bool)
    straight, turned = (nearest(first.flatten(1), other.flatten(1), strangers) for other in (second, image(second)))
    return turned_ratio(straight, turned)
