"""Read the eye chart: from which radius and contrast on a tokenizer sees, and which shift it notices."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from trajvq.data.synthetic.chart import CONTRASTS, PAIR_RADIUS, PARAMS, RADII, SHIFTS, SPEEDS
from trajvq.io.arrays import Floats
from trajvq.metrics.intervals import DRAWS, Interval
from trajvq.metrics.reconstruction.metric import Truth, clip_figures
from trajvq.metrics.tracking import track

SEEN, NOTICED = 0.5, 0.75  # shares that make a threshold


@dataclass(frozen=True)
class Chart:
    """What a tokenizer saw.

    Attributes:
        visible: ``(radii, contrasts, speeds)`` shares of frames in which the disc is there.
        noticed: ``(shifts,)`` shares of frames in which a pair is in the right order; 0.5 is chance.
        thresholds: ``radius`` (px, at full contrast), ``contrast`` (at 2 px) and ``shift`` (px), with intervals.
            At the largest value of the chart, not even that was seen.
    """

    visible: Floats
    noticed: Floats
    thresholds: dict[str, Interval]

    def as_json(self) -> dict[str, Any]:
        """Return what a scoreboard holds."""
        axes = {"radius": list(RADII), "contrast": list(CONTRASTS), "speed": list(SPEEDS), "shift": list(SHIFTS)}
        found = {"visible": self.visible.tolist(), "noticed": self.noticed.tolist()}
        return {"axes": axes, **found, "thresholds": self.thresholds}


class ChartReader:
    """Collects reconstructions of the eye chart, a batch at a time."""

    def __init__(self) -> None:
        self.seen: list[Floats] = []
        self.x: list[Floats] = []

    def update(self, truth: Truth, video: NDArray[np.uint8]) -> None:
        """Add reconstructions, uint8 ``(B, T, 3, H, W)``, of the next clips of the chart."""
        visible = clip_figures(truth, video)["visible"]
        place = track(video, truth.background, truth.contrast, np.pi * truth.radius**2).pixel[..., 0]
        self.seen.append(visible.mean(axis=1))
        self.x.append(np.where(visible > 0, place, np.nan))

    def compute(self, params: Floats) -> Chart:
        """Return what was seen, given the ``(N, 5)`` params of all clips."""
        columns = dict(zip(PARAMS, np.asarray(params, dtype=np.float64).T, strict=True))
        seen, x = np.concatenate(self.seen), np.concatenate(self.x)
        grid = np.isnan(columns["pair"])
        where = {name: columns[name][grid] for name in ("radius", "contrast", "speed")}
        visible = np.array(
            [
                [[_share(seen[grid], where, radius, contrast, speed) for speed in SPEEDS] for contrast in CONTRASTS]
                for radius in RADII
            ]
        )
        second = np.flatnonzero(columns["shift"] > 0)  # each follows its first
        later = x[second] - x[second - 1]
        right = np.where(np.isfinite(later), (later > 0) + 0.5 * (later == 0), 0.5).mean(axis=1)
        shift = columns["shift"][second]
        full, two = _near(where["contrast"], 1.0), _near(where["radius"], PAIR_RADIUS)
        thresholds = {
            "radius": threshold(where["radius"][full], seen[grid][full], RADII, SEEN),
            "contrast": threshold(where["contrast"][two], seen[grid][two], CONTRASTS, SEEN),
            "shift": threshold(shift, right, SHIFTS, NOTICED),
        }
        noticed = np.array([right[_near(shift, value)].mean() for value in SHIFTS])
        return Chart(visible, noticed, thresholds)


def _near(values: Floats, wanted: float) -> NDArray[np.bool_]:
    return np.asarray(np.abs(values - wanted) < 1e-3 * wanted + 1e-6)


def _share(seen: Floats, where: dict[str, Floats], radius: float, contrast: float, speed: float) -> float:
    rows = _near(where["radius"], radius) & _near(where["contrast"], contrast) & _near(where["speed"], speed)
    return float(seen[rows].mean())


def threshold(strength: Floats, right: Floats, levels: tuple[float, ...], share: float) -> Interval:
    """Return the strength from which on a share is right, with its bootstrap interval over clips.

    Rates may only rise with strength (isotonic regression); between two levels the crossing is
    log-linear. It lies within the levels: at the lowest, even that was seen; at the highest, not even that.

    Args:
        strength: ``(N,)`` strength of each clip, one of the levels.
        right: ``(N,)`` shares of right frames.
        levels: The levels.
        share: What makes a threshold.
    """
    rising = np.array(sorted(levels))
    member = [np.flatnonzero(_near(strength, level)) for level in rising]
    rng = np.random.default_rng(0)
    drawn = [right[rows][rng.integers(0, len(rows), (DRAWS, len(rows)))].mean(axis=1) for rows in member]
    draws = np.stack(drawn, axis=1)
    low, high = np.quantile([_crossing(rising, draw, share) for draw in draws], (0.025, 0.975))
    value = _crossing(rising, np.array([right[rows].mean() for rows in member]), share)
    return {"value": value, "low": float(low), "high": float(high)}


def _crossing(rising: Floats, rates: Floats, share: float) -> float:
    smooth = np.asarray(isotonic_regression(rates).x)
    above = np.flatnonzero(smooth >= share)
    if not len(above):
        return float(rising[-1])
    first = int(above[0])
    if first == 0:
        return float(rising[0])
    before, after = smooth[first - 1], smooth[first]
    part = (share - before) / (after - before)
    return float(np.exp(np.log(rising[first - 1]) + part * np.log(rising[first] / rising[first - 1])))
