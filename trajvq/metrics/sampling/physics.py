"""Sampling figures: how well samples show the motion of their target class, judged by physics, without filtering.

N clips, M objects, T frames.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.family_fits import fit_families, own_residuals
from trajvq.metrics.intervals import Interval, bootstrap, rate_of_objects, wilson
from trajvq.metrics.judge import FIXED_SIGMA, NONE, Judge, calibrate, confusion
from trajvq.metrics.reconstruction.objects import MISSING_ERROR
from trajvq.metrics.sampling.objects import Objects


@dataclass(frozen=True)
class Physics:
    """Judges of samples and what reconstructions of real clips reach.

    Attributes:
        judge: Calibrated on tracked reconstructions of ``val``, which have the same noise as samples.
        fixed: The judge of `FIXED_SIGMA`.
        reference: ``(classes,)`` median residuals of these reconstructions, px; NaN for a class that is no motion
            family, or of which no clip can be fitted.
    """

    judge: Judge
    fixed: Judge
    reference: Floats

    @classmethod
    def calibrated(
        cls, objects: Objects, truth: Floats, label: NDArray[np.int64], classes: tuple[str, ...], tracked: bool
    ) -> "Physics":
        """Calibrate on clips of ``val``.

        Args:
            objects: Of N clips.
            truth: ``(M, T, 2)`` their true positions.
            label: ``(N,)``.
            classes: Names of the classes.
            tracked: Whether the truth is tracked; see `calibrate`.
        """
        labels = label[objects.clip]
        judge = calibrate(objects.pixel, truth, labels, classes, objects.valid, tracked)
        own = own_residuals(fit_families(objects.pixel, classes, objects.valid), labels, classes)
        reference = np.array([_median(own[labels == k]) for k in range(len(classes))])
        return cls(judge, Judge.at(FIXED_SIGMA, classes, objects.pixel.shape[1]), reference)

    def figures(self, objects: Objects, target: NDArray[np.int64]) -> dict[str, Any]:
        """Judge samples. A sample that fits no motion family matches no class.

        Args:
            objects: Of N samples.
            target: ``(N,)`` classes that the samples were generated for.

        Returns:
            Of the samples whose class is a motion family: ``class_match`` with its interval, the same for each class
            (``class_match_per_class``) and under a fixed noise (``class_match_at``); ``none``: share that fits no
            family; ``at_rest``: share that does not move; ``physics_residual``: median over samples of the RMS
            residual under the target class, 32 px for a missing object and for one at rest, relative to that of
            reconstructions; and ``confusion`` of target and judged classes. Nothing without such samples.
        """
        names = self.judge.classes
        unjudged = [names.index(name) for name in self.judge.unjudged]
        rows = np.flatnonzero(~np.isin(target[objects.clip], unjudged))
        if not len(rows):
            return {}
        clip, labels = objects.clip[rows], target[objects.clip[rows]]
        fits = fit_families(objects.pixel[rows], names, objects.valid[rows])
        judged, at = self.judge.choose(fits), self.fixed.choose(fits)
        per_class = {
            name: rate_of_objects((judged == k)[labels == k], clip[labels == k])
            for k, name in enumerate(names)
            if (labels == k).any()
        }
        figures: dict[str, Any] = {
            "class_match": rate_of_objects(judged == labels, clip),
            "class_match_at": rate_of_objects(at == labels, clip),
            "class_match_per_class": per_class,
            "none": rate_of_objects(judged == NONE, clip),
            "at_rest": rate_of_objects(fits.still, clip),
            "confusion": confusion(labels, judged, len(names)).tolist(),
        }
        residuals = np.minimum(own_residuals(fits, labels, names), MISSING_ERROR)
        relative = residuals / self.reference[labels]
        if not np.isnan(relative).all():
            figures["physics_residual"] = float(np.nanmedian(relative))
        return figures

    def rotated(self, target: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return for ``(N,)`` classes the next of the motion families among them; None with less than two families."""
        names = self.judge.classes
        judged = [k for k, name in enumerate(names) if name not in self.judge.unjudged]
        following = np.arange(len(names))
        following[judged] = np.roll(judged, -1)
        return following[target] if len(judged) > 1 else None

    @property
    def remarks(self) -> list[str]:
        """What a reader of the figures must know, in lines of a scoreboard."""
        families = len(self.judge.classes) - len(self.judge.unjudged)
        single = ["the row classes_rotated is left out: it needs two motion families"]
        return [*self.judge.remarks, *(single if families == 1 else [])]


def visible_frames(objects: Objects, count: NDArray[np.int64], least: int, most: int) -> Interval:
    """Return the share of frames with at least one object, no more than there may be, and none missing.

    Args:
        objects: Of N samples. One that is hidden or outside of the picture is not missing.
        count: ``(N, T)`` objects of each frame.
        least: Smallest number of objects of a real clip.
        most: The largest; 1 asks for exactly one.
    """
    visible = (count >= 1) & (count <= most) & (count + objects.hidden(len(count)) >= least)
    return wilson(float(visible.mean()) * len(count), len(count))


def object_count(count: NDArray[np.int64], most: int) -> dict[str, Interval]:
    """Return ``objects``, the mean number of objects a frame with its bootstrap interval; nothing where it must be 1.

    `visible_frames` accepts every number that real clips have: where these differ, a generator of single objects is
    found out only by this figure, which is lower than that of real clips.

    Args:
        count: ``(N, T)`` objects of each frame.
        most: Largest number of objects of a real clip.
    """
    return {"objects": bootstrap(count.mean(axis=1))} if most > 1 else {}


def _median(residuals: Floats) -> float:
    """Return the median of residuals, NaN where it is not finite."""
    median = float(np.median(residuals)) if len(residuals) else np.nan
    return median if np.isfinite(median) else np.nan
