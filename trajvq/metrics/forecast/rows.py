"""The rows that a forecast should not lose to: nothing, polynomials, the nearest clip, fitted physics, the oracle.

N clips of T frames, n of them given, M predicted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.ranges import Region
from trajvq.io.arrays import Floats
from trajvq.metrics.forecast.errors import SIMPLE, nearest_clip
from trajvq.metrics.forecast.family import forecast_best_family
from trajvq.metrics.forecast.oracle import forecast_true_family
from trajvq.metrics.judge import noise_of

SOURCES = ("tracked", "reconstructed")


@dataclass(frozen=True)
class Paths:
    """Where the object of N clips is, and where it is seen: ``(N, T, 2)`` px, NaN where it is not.

    Attributes:
        truth: Stored, or tracked where nothing is stored.
        valid: bool ``(N, T)``: frames in which it can be seen.
        tracked: In the clips themselves.
        reconstructed: In what their tokens decode to; None where nothing is known of tokens.
        label: ``(N,)`` classes; None where the dataset has none.
        identifiable: bool ``(N,)``; None where the dataset does not say.
    """

    truth: Floats
    valid: NDArray[np.bool_]
    tracked: Floats
    reconstructed: Floats | None
    label: NDArray[np.int64] | None = None
    identifiable: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Baselines:
    """What the rows know besides the context.

    Attributes:
        known: ``(K, T, 2)`` paths of the training clips.
        val: The calibration clips, which say how noisy each source is; without them no family is fitted freely.
        classes: Names of the classes.
        ranges: The ``ranges`` of the dataset's manifest; without its regions there is no oracle.
        size: Height and width of the picture in pixels.
        frames: Of the clips themselves; beyond, only the equation says what is true.
    """

    known: Floats
    val: Paths | None
    classes: Sequence[str]
    ranges: Mapping[str, Any]
    size: tuple[int, int]
    frames: int

    def predictions(self, split: str, asked: Paths, given: int, horizon: int) -> dict[str, Floats]:
        """Return the predicted places of every row, ``(N, M, 2)`` px, the oracle's last.

        Args:
            split: Whose regions the oracle knows.
            asked: The clips; of them rows see the first ``given`` frames only.
            given: n.
            horizon: M.
        """
        sources = {source: getattr(asked, source) for source in SOURCES}
        contexts = {source: paths[:, :given] for source, paths in sources.items() if paths is not None}
        made = {name: predict(contexts["tracked"], horizon) for name, predict in SIMPLE.items()}
        whole = self.known[np.isfinite(self.known).all(axis=(1, 2))]
        if len(whole) and whole.shape[1] >= given + horizon:
            made["nearest_clip"] = nearest_clip(contexts["tracked"], horizon, whole)
        if self.val is not None:
            for source, context in contexts.items():
                sigma = noise_of(getattr(self.val, source), self.val.truth)
                made[f"best_family_{source}"] = forecast_best_family(context, horizon, self.frames, sigma)
        regions = self._regions(split)
        if asked.label is not None and regions:
            family = [self.classes[k] for k in asked.label]
            for source, context in contexts.items():
                made[f"true_family_{source}"] = forecast_true_family(
                    context, family, regions, self.frames, given + horizon, self.size[0]
                )
        return made

    def _regions(self, split: str) -> list[Region]:
        """Return what the generator draws a split from; nothing for clips that it did not make."""
        found: Mapping[str, list[Mapping[str, Any]]] = self.ranges.get("splits", {})
        square = self.size[0] == self.size[1]
        return [
            {name: tuple((low, high) for low, high in parts) for name, parts in region.items()}
            for region in (found.get(split, []) if square else [])
        ]
