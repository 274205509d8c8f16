"""Baselines that continue tracked paths: polynomials, the most similar clip, fitted motion families and the oracle.

N objects of clips of T frames, n frames of context, M predicted frames.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.motion import families_named
from trajvq.data.synthetic.placement import SCENE
from trajvq.data.synthetic.ranges import Region
from trajvq.io.arrays import Bytes, Floats
from trajvq.metrics.forecast.errors import PATH_PREDICTORS
from trajvq.metrics.forecast.family import forecast_best_family
from trajvq.metrics.forecast.nearest import Moves, nearest_clip
from trajvq.metrics.forecast.objects import Objects, identities
from trajvq.metrics.forecast.oracle import forecast_true_family
from trajvq.metrics.forecast.predictions import tracked_objects
from trajvq.metrics.judge import noise_of
from trajvq.metrics.reconstruction.truth import Truth

ANYWHERE = Moves(anywhere=True)
SOURCES = ("tracked", "reconstructed")


@dataclass(frozen=True)
class Paths:
    """True and tracked positions of N objects: ``(N, T, 2)`` px, NaN where there is none.

    Attributes:
        truth: Stored positions, or tracked ones where none are stored.
        valid: bool ``(N, T)``: frames in which the object is visible.
        tracked: Matched objects, tracked in the clips themselves.
        reconstructed: Tracked in what the clips' tokens decode to; None without tokens.
        label: ``(N,)`` classes of their clips; None for a dataset without labels.
        identifiable: bool ``(N,)``: objects whose motion determines their class; None for a dataset without the column.
    """

    truth: Floats
    valid: NDArray[np.bool_]
    tracked: Floats
    reconstructed: Floats | None = None
    label: NDArray[np.int64] | None = None
    identifiable: NDArray[np.bool_] | None = None


def calibration_paths(clips: Iterable[tuple[Truth, Sequence[Bytes]]]) -> Paths:
    """Return the paths of all objects of some clips, on which the noise of each source is measured.

    Args:
        clips: Of each batch the truth, and clips uint8 ``(B, T, 3, H, W)`` to track them in: the clips themselves and
            perhaps what their tokens decode to.
    """
    parts = []
    for truth, videos in clips:
        positions, valid = identities(truth)
        objects = Objects.in_context(valid, valid.shape[1])
        arrays = (positions, valid, *(tracked_objects(truth, positions, video) for video in videos))
        parts.append([objects.take(array) for array in arrays])
    return Paths(*(np.concatenate(part) for part in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Baselines:
    """Predict the continuation of paths by every baseline.

    Attributes:
        train_paths: ``(L, T, 2)`` px, paths of objects of training clips.
        val: Calibration clips, on which the noise of each source is measured; None leaves out the fitted families.
        classes: Names of the classes.
        ranges: The ``ranges`` of the dataset's manifest. The oracle is left out if they name no regions, if a class is
            no registered motion family, or if clips have `several_objects`.
        size: Height and width of the picture in pixels.
        frames: T, the length of the dataset's clips.
        moves: How the row ``nearest_clip`` may move the paths of training clips.
    """

    train_paths: Floats
    val: Paths | None
    classes: Sequence[str]
    ranges: Mapping[str, Any]
    size: tuple[int, int]
    frames: int
    moves: Moves = ANYWHERE

    @property
    def several_objects(self) -> bool:
        """Whether several objects share the camera of a clip; the oracle fits the camera of a single one."""
        return set(SCENE) <= set(self.ranges.get("appearance", ()))

    def predictions(self, split: str, paths: Paths, context: int, horizon: int) -> dict[str, Floats]:
        """Return the predicted positions of every baseline, ``(N, M, 2)`` px; the oracle's come last.

        Args:
            split: Name of the split; the oracle uses the regions that its clips were generated in.
            paths: The clips; baselines use their first ``context`` frames only.
            context: n.
            horizon: M.
        """
        sources = {source: getattr(paths, source) for source in SOURCES}
        contexts = {source: positions[:, :context] for source, positions in sources.items() if positions is not None}
        predicted = {name: predict(contexts["tracked"], horizon) for name, predict in PATH_PREDICTORS.items()}
        complete = self.train_paths[np.isfinite(self.train_paths).all(axis=(1, 2))]
        if len(complete) and complete.shape[1] >= context + horizon:
            predicted["nearest_clip"] = nearest_clip(contexts["tracked"], horizon, complete, self.moves, self.size)
        if self.val is not None:
            for source, positions in contexts.items():
                sigma = noise_of(getattr(self.val, source), self.val.truth, self.val.valid)
                predicted[f"best_family_{source}"] = forecast_best_family(
                    positions, horizon, self.frames, sigma, self.classes
                )
        regions = self._regions(split)
        if paths.label is not None and regions and len(families_named(self.classes)) == len(self.classes):
            family = [self.classes[k] for k in paths.label]
            for source, positions in contexts.items():
                predicted[f"true_family_{source}"] = forecast_true_family(
                    positions, family, regions, self.frames, context + horizon, self.size[0]
                )
        return predicted

    def _regions(self, split: str) -> list[Region]:
        """Return the regions in which the oracle searches; none for clips of another source or that it cannot make."""
        if self.size[0] != self.size[1] or self.several_objects:
            return []
        splits: Mapping[str, list[Mapping[str, Any]]] = self.ranges.get("splits", {})
        return [
            {name: tuple((low, high) for low, high in parts) for name, parts in region.items()}
            for region in splits.get(split, [])
        ]
