"""Galleries of the report: the kept clips of each split, to play."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trajvq.io.arrays import Floats
from trajvq.metrics.details import ClipDetails
from trajvq.metrics.figures import heading_of
from trajvq.report.runs import RunRecord
from trajvq.report.sprites import columns_of, render_sprite, with_error

LIMIT = 7_500_000  # bytes of all clips together; the other parts of the page take well under 1 MB
CAPTIONED = 3  # figures in the caption of a clip


@dataclass(frozen=True)
class Card:
    """One clip to play."""

    caption: str
    alt: str
    source: str
    rows: str  # JSON: names of the videos, from top to bottom of the picture
    paths: str  # JSON: {name: [sample][frame][x, y]}


@dataclass(frozen=True)
class Gallery:
    """The kept clips of a split."""

    run: str
    task: str
    split: str
    ranked_by: str
    frames: int
    columns: int  # frames side by side in the picture of a clip
    width: int
    height: int
    cards: list[Card]
    left_out: int
    paths: list[str]


def galleries(runs: Sequence[RunRecord]) -> list[Gallery]:
    """Return a gallery for each split with clips, shortened where all of them are too large for one file."""
    whole = [_gallery(run, split, details) for run in runs for split, details in run.details.items() if details.clips]
    size = sum(len(card.source) for gallery in whole for card in gallery.cards)
    share = min(1.0, LIMIT / max(size, 1))
    return [_shorten(gallery, share) for gallery in whole]


def _shorten(gallery: Gallery, share: float) -> Gallery:
    cards = gallery.cards[: max(1, int(len(gallery.cards) * share))]
    return replace(gallery, cards=cards, left_out=gallery.left_out + len(gallery.cards) - len(cards))


def _gallery(run: RunRecord, split: str, details: ClipDetails) -> Gallery:
    frames, _, height, width = next(iter(details.clips.values())).shape[1:]
    cards, columns = [], 0
    for position, row in enumerate(details.kept.tolist()):
        clips = with_error({name: clip[position] for name, clip in details.clips.items()})
        columns = columns_of(clips)
        if not columns:  # larger than any picture
            continue
        caption = _caption(details, row)
        alt = f"{run.name}, {split}, {caption}: {', '.join(clips)}, {frames} frames from left to right"
        paths = {name: _rounded(path[position]) for name, path in details.paths.items()}
        cards.append(Card(caption, alt, render_sprite(clips), json.dumps(list(clips)), json.dumps(paths)))
    ranked_by = heading_of(next(iter(details.figures), ""))
    left_out = len(details.kept) - len(cards)
    size = (frames, columns, width, height)
    return Gallery(run.name, run.task, split, ranked_by, *size, cards, left_out, list(details.paths))


def _caption(details: ClipDetails, row: int) -> str:
    words = [f"clip {details.index[row]}"]
    for name, value in details.facts.items():
        if name in ("label", "answer") and value.ndim == 1:
            is_class = 0 <= value[row] < len(details.classes)
            class_name = details.classes[int(value[row])] if is_class else "none"
            words.append(class_name if name == "label" else f"answer {class_name}")
    names = list(details.figures)[:CAPTIONED]
    words += [f"{heading_of(name)} {details.by_clip(name)[row]:.3g}" for name in names]
    return ", ".join(words)


def _rounded(path: Floats) -> list[Any]:
    """Return paths as lists with a hundredth of a pixel's precision; None where there is no object."""
    samples = path[None] if path.ndim == 2 else path
    return [
        [None if not np.isfinite(point).all() else [round(float(v), 2) for v in point] for point in sample]
        for sample in samples
    ]
