"""Checks of the stored truth, object by object, against what the tracker sees in the clips.

N clips, T frames, K objects.
"""

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.manifest import Manifest
from trajvq.io.arrays import Floats
from trajvq.metrics.dataset.checks import Check, SplitContents, name_clips
from trajvq.metrics.matching import match
from trajvq.metrics.tracking import join_tracks

POSITION_TOLERANCE = 0.25  # px between tracked objects and `pixel`, mean of a clip; on a plain background
TEXTURED_TOLERANCE = 2.0  # px, with pictures behind the objects, noise and occlusion
RADIUS_TOLERANCE = 0.35  # share of the radius by which a tracked object may miss `radius`
SMALL_RADIUS = 1.0  # px below which a disc has too few pixels to measure its radius
COARSE = 1 / 500  # share of an object's motion that its stored position may be rounded by
MOVES = 1.0  # px of motion in the picture that its stored position must show, too


def check_inside(manifest: Manifest, splits: dict[str, SplitContents]) -> Check:
    """Check that objects are inside the frame wherever they are not marked as occluded."""
    check = Check("in frame", summary="every object, completely, unless occluded")
    size = np.array([manifest.width, manifest.height])
    for split, contents in splits.items():
        if "pixel" not in contents.columns or "radius" not in contents.columns:
            check.summary = "no pixel or radius stored"
            continue
        pixel, radius, visible = contents.columns["pixel"], contents.columns["radius"][..., None], contents.visible
        outside = ((pixel < 0) | (pixel > size)).any(axis=-1) & visible
        cut = ((pixel - radius < 0) | (pixel + radius > size)).any(axis=-1) & visible
        leaves = np.asarray(outside.any(axis=(1, 2)))
        check.faults += name_clips(split, leaves, "an object leaves the frame and is not marked as occluded")
        check.warnings += name_clips(
            split, np.asarray(cut.any(axis=(1, 2)) & ~leaves), "an object is cut by the edge of the frame"
        )
    return check


def check_truth(splits: dict[str, SplitContents]) -> Check:
    """Check that the tracker finds the stored objects, no others, and each at its position with its radius."""
    check = Check("ground truth")
    errors = []
    for split, contents in splits.items():
        columns = contents.columns
        if "pixel" not in columns or "radius" not in columns:
            check.summary = "no pixel or radius stored; the checks below use tracked objects"
            continue
        visible, pixel, radius = contents.visible, contents.paths, contents.radii
        matches = match(join_tracks(contents.tracks), pixel)
        counted = visible & matches.matched
        distance = np.linalg.norm(matches.tracks.pixel - pixel, axis=-1)
        error = _mean(distance, counted)
        if "background" not in columns or columns["background"].ndim != 2:
            errors.append(float(np.nanmedian(error)))
            far = (error > TEXTURED_TOLERANCE).any(axis=1)
            check.warnings += name_clips(split, far, f"an object is over {TEXTURED_TOLERANCE} px from `pixel`")
            continue
        errors.append(float(np.nanmean(error)))
        missing = (visible & ~matches.matched).any(axis=(1, 2))
        far = (error > POSITION_TOLERANCE).any(axis=1)
        check.faults += name_clips(split, missing, "some frame does not show an object where `pixel` is")
        check.faults += name_clips(split, far & ~missing, f"an object is over {POSITION_TOLERANCE} px from its `pixel`")
        deviation = _mean(np.abs(matches.tracks.radius - radius) / radius, counted)
        wrong = (deviation > RADIUS_TOLERANCE) & (error <= POSITION_TOLERANCE)
        wrong &= _mean(radius, counted) >= SMALL_RADIUS
        check.faults += name_clips(split, wrong.any(axis=1), "an object does not have its `radius`")
        # Where objects touch, or an edge cuts one, the number that is seen says nothing.
        clear = (visible | ~contents.exists[:, None]).all(axis=2)
        more = (clear & (matches.surplus > 0)).any(axis=1)
        check.faults += name_clips(split, more & ~missing, "some frame shows more objects than are stored")
    if errors:
        check.summary = f"objects are {np.mean(errors):.3f} px from `pixel` on average"
    return check


def check_positions(splits: dict[str, SplitContents]) -> Check:
    """Check that the stored positions in the world are exact enough for the motion in them."""
    check = Check("positions", summary="exact enough for the motion in them")
    for split, contents in splits.items():
        if "position" not in contents.columns:
            check.summary = "none stored"
            continue
        position = contents.columns["position"]
        exists = np.isfinite(position).all(axis=(1, 3))
        extent = _extent(position)
        rounding = np.where(np.isfinite(position), np.spacing(np.abs(position)), 0).max(axis=(1, 3)).astype(float)
        coarse = (extent > 0) & (rounding > COARSE * extent)
        if "pixel" in contents.columns:
            coarse |= (extent == 0) & (_extent(contents.columns["pixel"]) > MOVES)
        problem = "its position is too coarse for the motion in it; import it again"
        check.faults += name_clips(split, (coarse & exists).any(axis=1), problem)
    return check


def _extent(path: NDArray[np.floating]) -> Floats:
    """Return ``(N, K)`` largest ranges of paths ``(N, T, K, D)`` along one axis; 0 where there is no object."""
    finite = np.isfinite(path)
    high = np.where(finite, path, -np.inf).max(axis=1)
    low = np.where(finite, path, np.inf).min(axis=1)
    extent = np.where(finite.any(axis=1), high - low, 0.0).max(axis=-1)
    return np.asarray(extent, dtype=np.float64)


def _mean(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """Return ``(N, K)`` means of ``(N, T, K)`` over the frames that count; NaN without any."""
    frames = counted.sum(axis=1)
    total = np.where(counted, values, 0.0).sum(axis=1)
    return np.where(frames > 0, total / np.maximum(frames, 1), np.nan)
