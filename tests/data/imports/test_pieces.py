"""Tracks are cut where too much is missing, and small gaps are counted."""

from pathlib import Path

import numpy as np
import pytest

from trajvq.data.imports.notes import Ledger
from trajvq.data.imports.pieces import cut_tracks, missing_points
from trajvq.data.imports.points import Track


def track(times: list[float], name: str = "a") -> Track:
    return Track(name, None, np.array(times, dtype=float), np.arange(2.0 * len(times)).reshape(-1, 2))


def cut(*tracks: Track, points: int | None = None) -> list[list[list[float]]]:
    return [[piece.time.tolist() for piece in pieces] for pieces in cut_tracks(tracks, points, Ledger(Path("t")))[1]]


@pytest.mark.parametrize("step", [1.0, 40.0, 1e-3])
def test_missing_points_are_counted_at_the_usual_step(step: float) -> None:
    time = step * np.array([0, 1, 2, 5, 6, 7.3, 8.1, 20])
    assert missing_points(time).tolist() == [0, 0, 2, 0, 0, 0, 11]


def test_small_gaps_stay(capsys: pytest.CaptureFixture[str]) -> None:
    times = [float(k) for k in range(20) if k not in (7, 12, 13)]
    assert cut(track(times), track([0, 1, 3])) == [[times], [[0, 1, 3]]]
    assert "4 missing points in 2 tracks interpolated, first in clip a" in capsys.readouterr().out


def test_large_gaps_cut_also_within_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = [0, 1, 2, 3], [10, 11, 12, 13, 14], [9000, 9001, 9002]
    assert cut(track([*first, *second, *third])) == [[first, second]]
    printed = capsys.readouterr().out
    assert "1 track cut where more than 20% is missing" in printed
    assert "3 pieces found, 2 taken; left out: 1 shorter than 4 points" in printed


def test_windows_take_whole_numbers_of_points(capsys: pytest.CaptureFixture[str]) -> None:
    assert cut(track(list(range(11))), points=4) == [[[0, 1, 2, 3], [4, 5, 6, 7]]]
    assert "3 points at the ends of tracks left out: too few for 4" in capsys.readouterr().out


def test_a_track_of_which_nothing_is_left_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    remaining, pieces = cut_tracks([track([0, 1, 2]), track(list(range(9)), "b")], 5, Ledger(Path("t")))
    assert [one.name for one in remaining] == ["b"]
    assert [len(part) for part in pieces] == [1]
    assert "1 track shorter than 5 points left out: clip a" in capsys.readouterr().out
