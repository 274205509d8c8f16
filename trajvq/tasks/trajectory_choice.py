"""Whether trajectories can be modeled: how many objects training clips show, and how steadily.

N clips, K objects, M of them in all clips together, T frames.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trajvq.io.arrays import Floats, shown_in
from trajvq.io.video import to_float
from trajvq.metrics.matching import link
from trajvq.metrics.tracking import Tracks, join_tracks, track_clips
from trajvq.tokens.datamodule import TokenDataModule
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.tracks import as_path, often_seen

CLIPS = 64  # training clips looked at, spread over the split
BATCH = 8
SINGLE = 0.9  # share of frames that must show exactly one object
LASTING = 0.8  # or of all objects in all frames, more of which must be one of several that most frames show
STEADY = 0.98  # share of their positions that must be steady
MOST = 8  # objects of a clip
JUMP = 1 / 8  # of the picture's shorter side; a steady position is no further from the middle of its neighbors in time
TURN = 0.6  # or of the path's size: even three turns in 16 frames lead no further away, where random places lie at 1.2


@dataclass(frozen=True, eq=False)
class TrajectoryChoice:
    """Whether to model trajectories, and why.

    Attributes:
        tracks: float ``(M, T, 2)``, positions of the objects, x and y from -1 to 1 between the edges of the picture;
            NaN where an object is not seen.
        clips: N.
        single: Share of frames with exactly one object.
        steady: Share of the objects' positions that do not jump; 0 where there are none.
        objects: K, the most objects of a clip of which a trajectory could be modeled.
        lasting: Share of all objects in all frames that are one of K, each seen in at least half of the frames.
    """

    tracks: Tensor
    clips: int
    single: float
    steady: float
    objects: int = 1
    lasting: float = 1.0

    @property
    def modeled(self) -> bool:
        """Whether tracks are reliable enough."""
        enough = self.single >= SINGLE if self.objects == 1 else self.lasting > LASTING and self.objects <= MOST
        return enough and self.steady >= STEADY

    def __str__(self) -> str:
        choice = "modeled" if self.modeled else "left out, clips are modeled by tokens alone"
        others = "" if self.modeled else "; the configs tokens/* are made for such clips"
        share = f"{self.single:.0%} of the frames show one object ({SINGLE:.0%} are enough)"
        if self.objects > 1:
            choice = f"{choice}, of up to {self.objects} objects" if self.modeled else choice
            share = (
                f"{self.lasting:.0%} of the objects seen are among the up to {self.objects} that half of a clip's "
                f"frames show (more than {LASTING:.0%} of at most {MOST} are enough)"
            )
        return (
            f"trajectory: {choice}; in {self.clips} decoded training clips {share} and {self.steady:.0%} of "
            f"{'its' if self.objects == 1 else 'their'} positions are steady ({STEADY:.0%}){others}"
        )


def choose_trajectory(tracks: Tracks, height: int, width: int) -> TrajectoryChoice:
    """Judge tracks by how many objects there are, how long they are seen, and how far they jump.

    Args:
        tracks: Of N clips.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
    """
    single, objects, lasting = float((tracks.count == 1).mean()), 1, 1.0
    if single < SINGLE:
        linked = often_seen(link(tracks))
        present = shown_in(linked.pixel)  # (N, T, K)
        several = int(present.any(axis=1).sum(axis=1).max())
        if several > 1:
            tracks, objects = linked, several
            lasting = float(present[:, :, :several].sum() / max(int(tracks.count.sum()), 1))
    positions = tracks.pixel[:, :, :objects].swapaxes(1, 2).reshape(-1, tracks.pixel.shape[1], 2)
    if objects > 1:
        positions = positions[shown_in(positions).any(axis=1)]
    jump = _distance_from_middle(positions)
    allowed = np.maximum(TURN * _size(positions), JUMP * min(height, width))
    finite = np.isfinite(jump)
    steady = float((jump <= allowed[:, None])[finite].mean()) if finite.any() else 0.0
    paths = as_path(torch.from_numpy(positions).float(), height, width)
    return TrajectoryChoice(paths, len(tracks.count), single, steady, objects, lasting)


def look_at(data: TokenDataModule, tokenizer: FrozenTokenizer) -> TrajectoryChoice:
    """Track a sample of the training clips, decoded from their tokens. The same clips give the same answer.

    Args:
        data: Of the run.
        tokenizer: Of the run.
    """
    clips = data.clips("train")
    count = min(data.train_clips or len(clips), len(clips))
    rows, parts = torch.linspace(0, count - 1, min(count, CLIPS)).long(), []
    for batch in rows.split(BATCH):  # type: ignore[no-untyped-call]
        tokens = tokenizer.encode(to_float(clips.batch(batch.tolist())["video"]))
        parts.append(track_clips(tokenizer.decode(tokens), data.tracker))
    return choose_trajectory(join_tracks(parts), data.manifest.height, data.manifest.width)


def _distance_from_middle(positions: Floats) -> Floats:
    """Return ``(N, T - 2)`` px: how far positions ``(N, T, 2)`` lie from the middle of those before and after."""
    middle = (positions[:, :-2] + positions[:, 2:]) / 2
    return np.asarray(np.linalg.norm(positions[:, 1:-1] - middle, axis=-1))


def _size(positions: Floats) -> Floats:
    """Return ``(N,)`` px: the RMS distance of positions ``(N, T, 2)`` from their mean; 0 without any."""
    visible = shown_in(positions)
    count = np.maximum(visible.sum(axis=1), 1)
    path = np.where(visible[..., None], positions, 0.0)
    offset = np.where(visible[..., None], path - path.sum(axis=1, keepdims=True) / count[:, None, None], 0.0)
    return np.asarray(np.sqrt(np.square(offset).sum(axis=(1, 2)) / count))
