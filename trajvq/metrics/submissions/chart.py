"""Figures of the eye chart: the smallest radius, contrast and shift that a tokenizer keeps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from trajvq.data.synthetic.chart import CONTRASTS, PAIR_RADIUS, PARAMS, RADII, SHIFTS, SPEEDS
from trajvq.io.arrays import Bytes, Floats
from trajvq.metrics.forecast.predictions import track_against
from trajvq.metrics.intervals import RESAMPLES, Interval
from trajvq.metrics.reconstruction.objects import clip_figures
from trajvq.metrics.reconstruction.truth import Truth

VISIBLE_SHARE = 0.5  # of frames that makes the threshold of radius and contrast
NOTICED_SHARE = 0.75  # of frames that makes the threshold of the shift; 0.5 is chance


@dataclass(frozen=True)
class EyeChart:
    """What a tokenizer keeps of the eye chart.

    Attributes:
        visible: ``(radii, contrasts, speeds)`` shares of frames in which the disc is visible.
        noticed: ``(shifts,)`` shares of frames in which the discs of a pair are in the right order; 0.5 is chance.
        thresholds: ``radius`` (px, at full contrast), ``contrast`` (at a radius of 2 px) and ``shift`` (px), with
            intervals. The chart's largest value may mean that not even that is kept.
    """

    visible: Floats
    noticed: Floats
    thresholds: dict[str, Interval]

    def as_json(self) -> dict[str, Any]:
        """Return what a scoreboard stores."""
        axes = {"radius": list(RADII), "contrast": list(CONTRASTS), "speed": list(SPEEDS), "shift": list(SHIFTS)}
        shares = {"visible": self.visible.tolist(), "noticed": self.noticed.tolist()}
        return {"axes": axes, **shares, "thresholds": self.thresholds}


class EyeChartFigures:
    """Accumulate reconstructions of the eye chart, batch by batch in order."""

    def __init__(self) -> None:
        self.visible: list[Floats] = []
        self.x: list[Floats] = []

    def update(self, truth: Truth, video: Bytes) -> None:
        """Add reconstructions, uint8 ``(B, T, 3, H, W)``, of the next clips of the chart."""
        visible = clip_figures(truth, video)["visible"][:, :, 0]
        x = track_against(truth, video).pixel[:, :, 0, 0]
        self.visible.append(visible.mean(axis=1))
        self.x.append(np.where(visible > 0, x, np.nan))

    def compute(self, params: Floats) -> EyeChart:
        """Return the figures of the chart.

        Args:
            params: ``(N, 5)`` parameters of all clips, in the order of `trajvq.data.synthetic.chart.PARAMS`.
        """
        columns = dict(zip(PARAMS, np.asarray(params, dtype=np.float64).T, strict=True))
        visible, x = np.concatenate(self.visible), np.concatenate(self.x)
        single = np.isnan(columns["pair"])
        radius, contrast, speed = (columns[name][single] for name in ("radius", "contrast", "speed"))
        visible = visible[single]

        def share(r: float, c: float, s: float) -> float:
            return float(visible[_equal(radius, r) & _equal(contrast, c) & _equal(speed, s)].mean())

        second = np.flatnonzero(columns["shift"] > 0)  # each clip follows the first of its pair
        difference = x[second] - x[second - 1]
        right = np.where(np.isfinite(difference), (difference > 0) + 0.5 * (difference == 0), 0.5).mean(axis=1)
        shift = columns["shift"][second]
        full, two = _equal(contrast, 1.0), _equal(radius, PAIR_RADIUS)
        return EyeChart(
            visible=np.array([[[share(r, c, s) for s in SPEEDS] for c in CONTRASTS] for r in RADII]),
            noticed=np.array([right[_equal(shift, level)].mean() for level in SHIFTS]),
            thresholds={
                "radius": threshold(radius[full], visible[full], RADII, VISIBLE_SHARE),
                "contrast": threshold(contrast[two], visible[two], CONTRASTS, VISIBLE_SHARE),
                "shift": threshold(shift, right, SHIFTS, NOTICED_SHARE),
            },
        )


def _equal(values: Floats, level: float) -> NDArray[np.bool_]:
    """Return which values are a level, up to the rounding of float32."""
    return np.asarray(np.abs(values - level) < 1e-3 * level + 1e-6)


def threshold(strength: Floats, success: Floats, levels: tuple[float, ...], share: float) -> Interval:
    """Return the lowest strength at which a share of frames succeeds, with its bootstrap interval over clips.

    Success rates are made monotonic in strength (isotonic regression) and interpolated log-linearly between levels.
    The threshold is clipped to the levels: the lowest may mean that even less would succeed, the highest that not even
    that does.

    Args:
        strength: ``(N,)`` strength of each clip, one of the levels.
        success: ``(N,)`` shares of frames that succeed.
        levels: The levels.
        share: Share of frames at the threshold.
    """
    rising = np.array(sorted(levels))
    members = [np.flatnonzero(_equal(strength, level)) for level in rising]
    rng = np.random.default_rng(0)
    resampled = [success[rows][rng.integers(0, len(rows), (RESAMPLES, len(rows)))].mean(axis=1) for rows in members]
    crossings = [_crossing(rising, rates, share) for rates in np.stack(resampled, axis=1)]
    low, high = np.quantile(crossings, (0.025, 0.975))
    value = _crossing(rising, np.array([success[rows].mean() for rows in members]), share)
    return {"value": value, "low": float(low), "high": float(high)}


def _crossing(rising: Floats, rates: Floats, share: float) -> float:
    """Return where the rates of rising levels reach a share."""
    monotonic = np.asarray(isotonic_regression(rates).x)
    above = np.flatnonzero(monotonic >= share)
    if not len(above):
        return float(rising[-1])
    first = int(above[0])
    if first == 0:
        return float(rising[0])
    before, after = monotonic[first - 1], monotonic[first]
    part = (share - before) / (after - before)
    return float(np.exp(np.log(rising[first - 1]) + part * np.log(rising[first] / rising[first - 1])))
