"""Score samples of any program: tracked, and judged by the motion of their class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trajvq.data.imports.labels import match_classes
from trajvq.data.storage.clips import Clips
from trajvq.errors import DataError
from trajvq.io.video import to_float
from trajvq.metrics.sampling.objects import Objects
from trajvq.metrics.sampling.physics import Physics, object_count, visible_frames
from trajvq.metrics.sampling.real import UNJUDGED, RealObjects, real_objects
from trajvq.metrics.submissions.submission import BATCH, ClampedLevels, Submission, read_videos
from trajvq.metrics.tracking import Tracks, join_tracks, track_clips


def score_samples(
    path: Path, val: Clips, reconstructed: Path | None = None, count: int | None = None
) -> dict[str, Any]:
    """Return the scoreboard of samples, with a row of the same clips whose classes are rotated.

    Args:
        path: ``.npz`` or ``.h5`` with ``video`` and ``label``, the target class by number or name.
        val: Split that calibrates the judge.
        reconstructed: Its clips reconstructed by a tokenizer, so that the judge expects the noise of samples from this
            tokenizer; None calibrates on the clips themselves.
        count: Samples that every class must have; None for any number.

    Raises:
        DataError: If the split has no classes or no object that can be judged, clips are not of its frames and size, a
            label is no class of the dataset, or a class has not as many samples as it must.
    """
    classes = tuple(val.manifest.classes)
    if not classes or "label" not in val.columns:
        raise DataError(f"{val.folder} has no classes, by which samples are judged; give --data a dataset with classes")
    levels = ClampedLevels()
    videos, assumed = read_videos(path, levels)
    target = match_classes([video.label for video in videos], classes, str(path))
    counts = np.bincount(target, minlength=len(classes))
    if count is not None:
        _check_counts(counts, classes, count, path)
    physics, real, real_count = _calibrated(val, reconstructed, classes)
    parts: list[Tracks] = []
    for first in range(0, len(videos), BATCH):
        clips = [video.read() for video in videos[first : first + BATCH]]
        _check_shapes([clip.shape for clip in clips], val, path)
        batch = torch.from_numpy(np.stack(clips).transpose(0, 1, 4, 2, 3))
        parts.append(track_clips(to_float(batch)))
    tracks = join_tracks(parts)
    objects = Objects.of_samples(tracks, real.most, (val.manifest.height, val.manifest.width))
    rows, rotated = {}, physics.rotated(target)
    if rotated is not None:
        rows["classes_rotated"] = physics.figures(objects, rotated)
    rows["val"] = object_count(real_count, real.most)
    rows["model"] = {
        **physics.figures(objects, target),
        "visible": visible_frames(objects, tracks.count, real.least, real.most),
        **object_count(tracks.count, real.most),
    }
    by_class = ", ".join(f"{name} {number}" for name, number in zip(classes, counts.tolist(), strict=True))
    remarks = [*assumed, f"samples by class: {by_class}", *physics.remarks, *levels.remarks()]
    return {
        "clips": len(videos),
        "truth": "judged",
        "classes": list(classes),
        "judge": physics.judge.as_json(),
        "remarks": remarks,
        "rows": {name: row for name, row in rows.items() if row},
    }


def _check_shapes(shapes: Sequence[tuple[int, ...]], val: Clips, path: Path) -> None:
    """Check that clips ``(T, H, W, 3)`` have the frames and the size of the dataset's."""
    frames, _, height, width = val.shape
    for shape in shapes:
        if shape[:3] != (frames, height, width):
            size = f"{shape[0]} frames of {shape[2]}x{shape[1]}"
            raise DataError(
                f"{path}: clips are {size}, but those of {val.folder} are {frames} of {width}x{height}; give the same"
            )


def _check_counts(counts: NDArray[np.int64], classes: Sequence[str], count: int, path: Path) -> None:
    """Check that every class has as many samples as it must."""
    for name, number in zip(classes, counts.tolist(), strict=True):
        if number != count:
            raise DataError(f"{path} has {number} samples of class {name} instead of --count {count}; give all samples")


def _calibrated(
    val: Clips, reconstructed: Path | None, classes: tuple[str, ...]
) -> tuple[Physics, RealObjects, NDArray[np.int64]]:
    """Return the judges, calibrated on ``val``, its objects, and their number in each frame."""
    submission = Submission(reconstructed, val) if reconstructed else None
    parts = []
    for batch in val.loader(BATCH):
        video = to_float(batch["video"])
        if submission is not None:
            video = to_float(torch.from_numpy(submission.clips_for(batch["index"].tolist())))
        parts.append(track_clips(video))
    tracks = join_tracks(parts)
    real = real_objects(val, tracks)
    if not real.judged:
        raise DataError(f"{val.folder}: {UNJUDGED}; give --data a dataset with such objects")
    tracked = "pixel" not in val.columns
    physics = Physics.calibrated(real.objects, real.paths, val.columns["label"].numpy(), classes, tracked)
    return physics, real, tracks.count
