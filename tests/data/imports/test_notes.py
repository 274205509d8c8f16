"""What an import says is printed line by line, and kept with its numbers."""

from pathlib import Path

import pytest

from trajvq.data.imports.notes import Ledger


def test_a_ledger_prints_and_keeps_what_was_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger(Path("set"))
    ledger.note("")
    ledger.note("cut is set/3.mp4")
    ledger.count("video", 6, {"unreadable": 1, "too short": 0})
    ledger.count("frame", 96, {})
    assert capsys.readouterr().out.splitlines() == [
        "set: cut is set/3.mp4",
        "set: 6 videos found, 5 taken; left out: 1 unreadable",
    ]
    assert ledger.content == {
        "counts": {
            "videos": {"found": 6, "taken": 5, "left_out": {"unreadable": 1}},
            "frames": {"found": 96, "taken": 96, "left_out": {}},
        },
        "notes": ["cut is 3.mp4"],
    }


def test_a_ledger_names_the_first_ones_and_the_number_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger(Path("t.csv"))
    ledger.leave_out("row", "without x", 7, [f"row {number}" for number in range(1, 8)])
    ledger.leave_out("row", "without x", 1)
    ledger.leave_out("row", "of no kind", 0, ["nothing"])
    ledger.details["origin"] = [5.0]
    ledger.count("row", 48)
    assert capsys.readouterr().out.splitlines() == [
        "t.csv: 7 rows without x left out: row 1, row 2, row 3, row 4, row 5 and 2 more",
        "t.csv: 48 rows found, 40 taken; left out: 8 without x",
    ]
    assert ledger.content["counts"]["rows"] == {"found": 48, "taken": 40, "left_out": {"without x": 8}}
    assert ledger.content["origin"] == [5.0]
