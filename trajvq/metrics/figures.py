"""The registry of figures: the one place that says what a figure means, its unit, its direction and its column.

Scoreboards, terminal tables, the report, model cards, progress lines and W&B panels all read it. A figure of your own
needs one call of `register`; a `ClipFigure` is also computed for every reconstructed clip.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

from trajvq.errors import UserError

Better = Literal["higher", "lower"]
Display = Literal["column", "note", "other"]
ACRONYMS = ("ade", "ece", "fde", "mse", "nll", "ood", "psnr", "ssim")  # upper-case in headings


@dataclass(frozen=True)
class Figure:
    """What a figure is and how tables show it.

    Attributes:
        name: Key in scoreboards. A trailing ``K`` stands for any number: ``min_ade_K`` describes ``min_ade_20``.
        meaning: What it measures, as one phrase.
        better: Which direction is better; None where neither is.
        unit: Such as ``px`` or ``dB``; empty for shares and ratios.
        heading: Its name in tables; the default is ``name`` in words.
        digits: Digits after the decimal point.
        display: ``column`` of the scoreboard, ``note`` below it, or ``other`` for what has no single number per row
            (per class, per frame) or belongs to training curves and single clips.
    """

    name: str
    meaning: str
    better: Better | None = None
    unit: str = ""
    heading: str = ""
    digits: int = 3
    display: Display = "column"

    def __post_init__(self) -> None:
        if not self.heading:
            object.__setattr__(self, "heading", _heading(self.name))

    @property
    def mode(self) -> Literal["max", "min"] | None:
        """Direction as Lightning and W&B spell it."""
        if self.better is None:
            return None
        return "max" if self.better == "higher" else "min"

    @property
    def description(self) -> str:
        """Meaning, unit and direction in one line."""
        unit = f", in {self.unit}" if self.unit else ""
        return f"{self.meaning}{unit}" + (f"; {self.better} is better" if self.better else "")

    def text(self, value: float) -> str:
        """Return a value as tables show it."""
        return f"{value:,.{self.digits}f}"

    def best(self, values: Iterable[float]) -> float | None:
        """Return the best of some values; None without a direction."""
        if self.better is None:
            return None
        return max(values) if self.better == "higher" else min(values)


@runtime_checkable
class ClipFigure(Protocol):
    """A figure of your own, computed for every reconstructed clip, shown with its mean and its bootstrap interval.

    Attributes:
        figure: Its entry, as `register` returned it.
    """

    figure: Figure

    def __call__(self, reconstruction: Tensor, video: Tensor, background: Tensor) -> Tensor:
        """Return one value for each clip, float ``(B,)``.

        Args:
            reconstruction: Float ``(B, 3, T, H, W)`` in [0, 1], rounded to 1/255 as stored clips are.
            video: The target, of the same shape.
            background: The clip without its objects, ``(B, 3, 1, H, W)``.
        """
        ...


_REGISTRY: dict[str, Figure] = {}


def register(figure: Figure) -> Figure:
    """Add a figure to the registry and return it.

    Raises:
        UserError: If another figure has that name.
    """
    if _REGISTRY.setdefault(figure.name, figure) != figure:
        raise UserError(f"figure {figure.name!r} is already registered with another entry; choose another name")
    return figure


def registered() -> list[Figure]:
    """Return every figure, in the order of tables."""
    return list(_REGISTRY.values())


def key_of(name: str) -> str | None:
    """Return the name under which a figure is registered: itself, or with ``K`` for a trailing number."""
    return next((key for key in (name, re.sub(r"\d+$", "K", name)) if key in _REGISTRY), None)


def find(name: str) -> Figure | None:
    """Return the entry of a figure, with a trailing number filled in; None if there is no such entry."""
    key = key_of(name)
    if key is None or key == name:
        return _REGISTRY.get(name)
    entry, number = _REGISTRY[key], name[len(key) - 1 :]
    heading, meaning = (re.sub(r"\bK\b", number, text) for text in (entry.heading, entry.meaning))
    return replace(entry, name=name, heading=heading, meaning=meaning)


def lookup(name: str) -> Figure:
    """Return the entry of a figure.

    Raises:
        UserError: If there is none.
    """
    figure = find(name)
    if figure is None:
        raise UserError(
            f"figure {name!r} is not registered; where it is defined, call "
            f"trajvq.metrics.figures.register(Figure({name!r}, MEANING, better=..., unit=...))"
        )
    return figure


def heading_of(name: str) -> str:
    """Return the heading of a figure; its name in words if it is not registered."""
    figure = find(name)
    return figure.heading if figure else _heading(name)


def _heading(name: str) -> str:
    return " ".join(word.upper() if word in ACRONYMS else word for word in name.split("_"))


for _figure in (
    Figure("accuracy", "share of clips whose class is right", "higher", digits=4),
    Figure("accuracy_identifiable", "accuracy over clips whose class can be seen at all", "higher", digits=4),
    Figure("ece", "expected calibration error: distance of confidence from accuracy, in 15 bins", "lower"),
    Figure("class_match", "share of samples that the judge assigns to the requested class", "higher"),
    Figure(
        "class_match_at",
        "class match of a judge that allows for a noise of 0.2 px, whatever the source of the clips",
        "higher",
        heading="class match at 0.2 px",
    ),
    Figure(
        "of_ceiling",
        "class match over that of reconstructed real clips",
        "higher",
        heading="class match over that of reconstructions",
        display="note",
    ),
    Figure(
        "physics_residual",
        "misfit to the requested class's motion over that of reconstructions; 1 is as good as a reconstruction",
        "lower",
        digits=2,
    ),
    Figure("none", "share of samples that fit no class", "lower"),
    Figure("at_rest", "share of samples whose object does not move, which follow no law", "lower", display="note"),
    Figure(
        "coverage",
        "share of real clips with a sample among their nearest neighbors, by path, appearance or both, the lowest",
        "higher",
    ),
    Figure(
        "coverage_of_real",
        "coverage over that of reconstructed val clips",
        "higher",
        heading="coverage over that of val",
        display="note",
    ),
    Figure("density", "real neighborhoods that a sample lies in, over the expected number; 1 is ideal", "higher"),
    Figure(
        "appearance_match",
        "share of samples whose mean color and radius occur in reconstructed val clips, within 10 levels and 0.3 px",
        "higher",
    ),
    Figure(
        "gan_train",
        "accuracy on real clips of a classifier trained on samples (Shmelkov et al., 2018)",
        "higher",
        digits=4,
    ),
    Figure(
        "gan_test",
        "accuracy on samples of a classifier trained on real clips (Shmelkov et al., 2018)",
        "higher",
        digits=4,
    ),
    Figure("ade", "mean distance of the predicted object from the true one", "lower", "px"),
    Figure("fde", "distance of the predicted object from the true one in the last frame", "lower", "px"),
    Figure("miss_2px", "share of objects more than 2 px off in the last frame", "lower"),
    Figure("velocity_error", "error of the predicted displacement", "lower", "px per frame"),
    Figure("skill", "1 - MSE / MSE of the best trivial row: 0 is no better than that row, 1 is perfect", "higher"),
    Figure(
        "visible",
        "share of objects with 30 % of contrast and area within 8 px, in frames without surplus objects",
        "higher",
        digits=4,
    ),
    Figure(
        "centroid_error",
        "distance of an object from its true position; one that is not found costs 32",
        "lower",
        "px",
    ),
    Figure("surplus", "objects a frame that the target does not have", "lower"),
    Figure("centroid_p95", "95th percentile of the centroid error over objects and frames", "lower", "px"),
    Figure("object_psnr", "PSNR within 2 px of the object, in target or reconstruction", "higher", "dB", digits=1),
    Figure("moving_psnr", "PSNR over pixels that move in the target, and 2 px around", "higher", "dB", digits=1),
    Figure(
        "color_error",
        "error of the mean color over the object's area in target or reconstruction, outline included, 0 to 255",
        "lower",
        digits=1,
    ),
    Figure("radius_error", "error of the object's radius", "lower", "px", digits=2),
    Figure("psnr", "PSNR over all pixels; blank clips score high too", "higher", "dB", digits=1),
    Figure("ssim", "structural similarity over all pixels; blank clips score high too", "higher", digits=4),
    Figure("mse", "mean square error over all pixels; blank clips score low too", "lower", digits=6),
    Figure("ood_over_id", "main figure on this split over the same on test", heading="OOD / ID", display="note"),
    Figure("ade_identifiable", "ADE over clips whose class can be seen at all", "lower", "px", display="note"),
    Figure("ade_samples", "mean ADE over all samples", "lower", "px", "ADE of samples", display="note"),
    Figure("min_ade_K", "mean ADE of the best of K samples", "lower", "px", "ADE of the best of K", display="note"),
    Figure(
        "energy_score",
        "distance of samples from the truth, less half of their distance from one another (Gneiting and Raftery, 2007)",
        "lower",
        "px",
        display="note",
    ),
    Figure(
        "calibration",
        "share of truths within the 90 % region of the samples; 0.9 is ideal",
        display="note",
    ),
    Figure("calibration_ideal", "calibration of as many ideal samples", heading="of ideal samples", display="note"),
    Figure(
        "objects",
        "objects a frame, to compare with those of real clips",
        heading="objects per frame",
        digits=2,
        display="note",
    ),
    Figure("clips_per_second", "clips per second", "higher", digits=0, display="note"),
    Figure(
        "memorization_path",
        "distance of samples from the nearest path of all training versions, over that of val clips; 0 means copies",
        "higher",
        heading="path memorization",
        display="note",
    ),
    Figure(
        "nearer_path",
        "share of samples closer to a training path than 99 % of val clips are",
        "lower",
        heading="paths closer than 99 % of val",
        digits=4,
        display="note",
    ),
    Figure(
        "memorization_tokens",
        "distance of samples from the nearest tokens of all training versions, over that of val clips; 0 means copies",
        "higher",
        heading="token memorization",
        display="note",
    ),
    Figure(
        "nearer_tokens",
        "share of samples closer to the tokens of a training clip than 99 % of val clips are",
        "lower",
        heading="tokens closer than 99 % of val",
        digits=4,
        display="note",
    ),
    Figure(
        "nll_bits", "bits per clip of held-out clips under the generator", "lower", "bits", digits=0, display="note"
    ),
    Figure("description_bits", "bits of a clip's true parameters", unit="bits", digits=0, display="note"),
    Figure(
        "bits",
        "tokens of a clip times log2 of the codebook's size; of H.264, the whole stream",
        unit="bits",
        digits=0,
        display="note",
    ),
    Figure(
        "bits_beyond_still",
        "bits of a clip's stream beyond those of a still clip of its background",
        unit="bits",
        heading="bits beyond a still clip",
        digits=0,
        display="note",
    ),
    Figure(
        "bits_ideal",
        "ideal code length of a clip's tokens, each predicted from the one before it in time by counts of train",
        "lower",
        "bits",
        "ideal bits",
        digits=0,
        display="note",
    ),
    Figure("codes_used", "number of codes that occur", "higher", digits=0, display="note"),
    Figure("perplexity", "effective number of codes over all tokens", digits=1, display="note"),
    Figure(
        "object_perplexity",
        "effective number of codes over tokens whose cell holds the object",
        heading="perplexity on objects",
        digits=1,
        display="note",
    ),
    Figure(
        "probe_accuracy",
        "accuracy on val of a linear classifier of the codes, fitted on train",
        "higher",
        display="note",
    ),
    Figure(
        "probe_accuracy_true",
        "accuracy of the same classifier on true positions",
        heading="probe accuracy on true positions",
        display="note",
    ),
    Figure("per_class", "figures of each class", display="other"),
    Figure("class_match_per_class", "class match of each class", display="other"),
    Figure("confusion", "clips by true class and answer; the last column counts answers of no class", display="other"),
    Figure("horizon", "mean error of each predicted frame, none without an object", unit="px", display="other"),
    Figure("budget", "mean square error by its source: tracker, tokenizer or dynamics", unit="px²", display="other"),
    Figure("loss", "loss that training minimizes", "lower", display="other"),
    Figure("nll", "bits per clip of val clips under the generator", "lower", "bits", display="other"),
    Figure("nll_trajectory", "bits per clip for the object's path", "lower", "bits", display="other"),
    Figure("nll_appearance", "bits per clip for the object's radius and color", "lower", "bits", display="other"),
    Figure("nll_object", "bits per clip for the object's tokens", "lower", "bits", display="other"),
    Figure("nll_tokens", "bits per clip for all tokens", "lower", "bits", display="other"),
    Figure("nll_background", "bits per clip for the background's tokens", "lower", "bits", display="other"),
    Figure("surprise", "minus the logarithm of the probability of the true class", "lower", display="other"),
    Figure("wrong", "1 where the class is wrong, else 0; of several objects the share", "lower", display="other"),
    Figure("misfit", "distance of the sample's path from the requested class's motion", "lower", "px", display="other"),
    Figure("unseen", "share of frames that should show an object and do not", "lower", display="other"),
):
    register(_figure)
BUILT_IN = frozenset(_REGISTRY)
