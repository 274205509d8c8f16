"""Read an analysis file of SLEAP (HDF5): the tracks of all body parts."""

import json
from typing import Any

import h5py
import numpy as np
import pyarrow as pa

from trajvq.data.imports.layouts import Points
from trajvq.data.imports.notes import Ledger
from trajvq.data.storage.shards import DAMAGED
from trajvq.errors import DataError, first_line

AXES = ("track", "xy", "node", "frame")  # of tracks, where they have no attribute `dims`


def read_sleap(ledger: Ledger, min_score: float | None = None) -> Points:
    """Return the points of an analysis file: each body part of each animal is a track.

    Args:
        ledger: Of HDF5 with ``tracks`` of shape ``(animals, axes, parts, frames)``, or as the attribute ``dims`` of
            sleap-io says, ``node_names`` and ``track_names``; takes what was found and left out.
        min_score: Least score of a point.

    Raises:
        DataError: If the file is damaged or of another kind, or there is a least score and no score.
    """
    path = ledger.path
    try:
        with h5py.File(path, "r") as file:
            if "tracks" not in file or "node_names" not in file:
                raise DataError(f"{path} is no analysis file of SLEAP; export one, or give .csv or .parquet")
            tracks = np.asarray(_ordered(file["tracks"], AXES), dtype=np.float64)
            nodes = _names(file["node_names"][:])
            animals = _names(file["track_names"][:]) if "track_names" in file else []
            scores = _ordered(file["point_scores"], ("track", "node", "frame")) if "point_scores" in file else None
    except DAMAGED as error:
        raise DataError(f"{path} is not a readable analysis file of SLEAP ({first_line(error)})") from None
    fits = tracks.ndim == 4 and tracks.shape[1] in (2, 3) and tracks.shape[2] == len(nodes)
    if not fits or len(animals) not in (0, len(tracks)):
        expected = f"({len(animals) or 'animals'}, 2, {len(nodes)}, frames)"
        raise DataError(f"{path}: tracks have shape {tracks.shape}, not {expected}")
    if not tracks.size:
        raise DataError(f"{path} holds no point: tracks have shape {tracks.shape}")
    animals = animals or [str(number) for number in range(len(tracks))]
    visible = np.isfinite(tracks).all(axis=1)  # (animals, parts, frames)
    ledger.leave_out("point", "not seen", int((~visible).sum()))
    if min_score is not None:
        if scores is None or scores.shape != visible.shape:
            raise DataError(f"{path} has no scores ('point_scores'), so --min-score does not apply; leave it out")
        low = visible & (scores < min_score)
        ledger.leave_out("point", f"with a score below {min_score}", int(low.sum()))
        visible &= ~low
    ledger.count("point", visible.size)
    ledger.note(f"as SLEAP writes it: tracks are {', '.join(nodes)}; y points down")
    animal, part, frame = np.nonzero(visible)
    names = pa.array([f"{one}/{node}" for one in animals for node in nodes])
    axes = {axis: pa.array(tracks[animal, number, part, frame]) for number, axis in enumerate("xyz"[: tracks.shape[1]])}
    clip = names.take(pa.array(animal * len(nodes) + part))
    animal_of = {f"{one}/{node}": one for one in animals for node in nodes}
    return Points(clip, pa.array(frame), axes, frame + 1, y_down=True, animals=animal_of)


def _ordered(dataset: Any, axes: tuple[str, ...]) -> Any:
    """Return an array with its axes in an order, if it has names of them."""
    if "dims" not in dataset.attrs:
        return dataset[:]
    names = json.loads(dataset.attrs["dims"])
    return dataset[:].transpose([names.index(axis) for axis in axes])


def _names(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]
