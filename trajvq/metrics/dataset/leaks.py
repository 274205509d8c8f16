"""Checks for what a model could exploit: repeated clips, and cues that give a class or a position away.

N clips, T frames, M paths of objects.
"""

from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from trajvq.io.arrays import Floats, shown_in
from trajvq.metrics.dataset.checks import NAMED, Check, SplitContents

SAME_PATH = 0.25  # px RMS within which two paths are near duplicates
SAME_PHASE = 0.02  # px around one sub-pixel position that counts as that position
CONSTANT_RADIUS = 0.02  # px, and share of the mean, of the standard deviation below which a radius is constant

Clip = tuple[str, int]  # split and number


def check_duplicates(splits: dict[str, SplitContents]) -> Check:
    """Look for clips with the same pixels or nearly the same path, within splits and across."""
    check = Check("duplicates", summary="none, exact or near")
    clips = [(split, number) for split, contents in splits.items() for number in range(len(contents.crc))]
    digests = list(chain.from_iterable(contents.digest for contents in splits.values()))
    resting = {(split, number) for split, contents in splits.items() for number in contents.blank + contents.still}
    _check_pixels(check, clips, digests, resting)
    parts = [_by_object(contents.paths) for contents in splits.values()]
    paths = np.concatenate([path for path, _ in parts])
    starts = np.cumsum([0, *(len(contents.crc) for contents in splits.values())])
    rows = np.concatenate([number + start for (_, number), start in zip(parts, starts, strict=False)])
    _check_paths(check, clips, digests, paths, rows)
    return check


def _by_object(values: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return ``(M, T, ...)`` values of ``(N, T, K, ...)`` and the number of each object's clip."""
    count, frames, objects = values.shape[:3]
    flat = np.moveaxis(values, 2, 1).reshape(count * objects, frames, *values.shape[3:])
    return flat, np.repeat(np.arange(count), objects)


def _check_pixels(check: Check, clips: list[Clip], digests: list[bytes], resting: set[Clip]) -> None:
    """Report clips with the same pixels. Those in which nothing moves are no fault: a film may rest for long."""
    by_digest: dict[bytes, list[Clip]] = {}
    for clip, digest in zip(clips, digests, strict=True):
        by_digest.setdefault(digest, []).append(clip)
    groups = [group for group in by_digest.values() if len(group) > 1]
    across = [group for group in groups if len({split for split, _ in group}) > 1]
    within = [group for group in groups if len({split for split, _ in group}) == 1]
    at_rest = [group for group in across if group[0] in resting]
    across = [group for group in across if group[0] not in resting]
    if across:
        firsts = [list({split: (split, number) for split, number in reversed(group)}.values()) for group in across]
        named = "; ".join(" = ".join(f"{s} {n}" for s, n in reversed(group)) for group in firsts[:NAMED])
        check.faults.append(f"{len(across)} clips are in several splits: {named}")
    if at_rest:
        check.warnings.append(f"{len(at_rest)} clips in which nothing moves are in several splits")
    if within:
        named = " = ".join(f"{s} {n}" for s, n in within[0][:NAMED])
        check.warnings.append(f"{len(within)} clips are repeated within a split, such as {named}")


def _check_paths(check: Check, clips: list[Clip], digests: list[bytes], paths: Floats, rows: NDArray[np.int64]) -> None:
    """Report clips with different pixels and paths ``(M, T, 2)`` that are nearly the same.

    Args:
        check: Takes the warning.
        clips: All clips.
        digests: Hash of each clip.
        paths: Paths of objects.
        rows: ``(M,)`` number of the clip of each path.
    """
    first = {digest: row for row, digest in reversed([*enumerate(digests)])}  # repeated pixels are named elsewhere
    complete = np.flatnonzero(np.isfinite(paths).all(axis=(1, 2)) & np.isin(rows, list(first.values())))
    if len(complete) < 2:
        return
    flat, clip = paths[complete].reshape(len(complete), -1), rows[complete]
    split = np.array([clips[row][0] for row in clip])
    limit = SAME_PATH * np.sqrt(paths.shape[1])
    repeated = _near(flat, clip, flat, clip, limit)
    across: dict[int, int] = {}
    for name in np.unique(split):
        own = split == name
        across |= _near(flat[own], clip[own], flat[~own], clip[~own], limit)
    if repeated:
        a, b = sorted(next(iter((across or repeated).items())))
        check.warnings.append(
            f"{len(repeated)} clips have the path of another one within {SAME_PATH} px, {len(across)} of them that of "
            f"one in another split, such as {clips[a][0]} {clips[a][1]} and {clips[b][0]} {clips[b][1]}"
        )


def _near(
    paths: Floats, clip: NDArray[np.int64], others: Floats, clip_of_other: NDArray[np.int64], limit: float
) -> dict[int, int]:
    """Return the numbers of clips with a path near one of another clip, each with the number of the nearest.

    Not all pairs are listed: of objects at rest, every two may be near.

    Args:
        paths: ``(M, 2 T)`` px.
        clip: ``(M,)`` number of the clip of each path.
        others: ``(L, 2 T)`` px, with which they are compared.
        clip_of_other: ``(L,)``.
        limit: Largest distance.
    """
    if not len(paths) or not len(others):
        return {}
    count = 1 + int(np.bincount(clip_of_other).max())  # with all objects of the same clip
    distance, index = cKDTree(others).query(paths, k=count, distance_upper_bound=limit)
    neighbor = np.append(clip_of_other, -1)[index]  # the last stands for none
    elsewhere = np.isfinite(distance) & (neighbor != clip[:, None])
    near = np.flatnonzero(elsewhere.any(axis=1))
    nearest = neighbor[near, elsewhere[near].argmax(axis=1)]
    return dict(zip(clip[near].tolist(), nearest.tolist(), strict=True))


def check_leaks(splits: dict[str, SplitContents]) -> Check:
    """Look for cues besides the motion: a constant sub-pixel position or radius, a telling first position."""
    check = Check("leaks", summary="no cue besides the motion")
    contents = splits.get("train") or next(iter(splits.values()))
    paths, clip = _by_object(contents.paths)
    present = shown_in(paths)
    if not present.any():
        check.summary = "no object detected"
        return check
    phase = paths[present] % 1.0
    angle = 2 * np.pi * phase
    mean_phase = np.arctan2(np.sin(angle).mean(axis=0), np.cos(angle).mean(axis=0)) / (2 * np.pi)
    deviation = np.abs((phase - mean_phase + 0.5) % 1.0 - 0.5).max(axis=1)
    share = (deviation < SAME_PHASE).mean()
    if share > 0.9:
        check.warnings.append(f"objects have the same sub-pixel position in {share:.0%} of frames")
    radius = np.where(present, _by_object(contents.radii)[0], np.nan)
    means = np.nanmean(radius[np.isfinite(radius).any(axis=1)], axis=1)
    if np.nanstd(means) < CONSTANT_RADIUS * np.nanmean(means) + CONSTANT_RADIUS:
        check.warnings.append(f"all objects have the same radius, {np.nanmean(means):.2f} px")
    if "label" in contents.columns:
        check.warnings += _first_position(paths, present, contents.columns["label"], clip)
    return check


def _first_position(
    paths: Floats, present: NDArray[np.bool_], label: NDArray[np.int64], clip: NDArray[np.int64]
) -> list[str]:
    """Predict the class of each object by the nearest first position in another clip; report what beats chance.

    Args:
        paths: ``(M, T, 2)`` px.
        present: ``(M, T)``: frames with a position.
        label: ``(N,)`` classes of the clips.
        clip: ``(M,)`` number of the clip of each path.
    """
    rows = np.flatnonzero(present[:, 0])
    counts = np.bincount(label)
    objects = int(np.bincount(clip[rows]).max(initial=0))
    if len(rows) < max(40, objects + 1) or (counts > 0).sum() < 2:
        return []
    _, neighbors = cKDTree(paths[rows, 0]).query(paths[rows, 0], k=objects + 1)
    elsewhere = clip[rows][neighbors] != clip[rows][:, None]
    nearest = neighbors[np.arange(len(rows)), elsewhere.argmax(axis=1)]
    accuracy = float(np.mean(label[clip[rows]] == label[clip[rows[nearest]]]))
    majority = counts.max() / counts.sum()
    margin = 4 * np.sqrt(majority * (1 - majority) / len(np.unique(clip[rows])))
    if accuracy <= majority + margin:
        return []
    return [f"the first position alone predicts {accuracy:.0%} of classes (chance {majority:.0%})"]
