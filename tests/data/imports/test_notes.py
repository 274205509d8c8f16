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
