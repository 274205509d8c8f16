"""The table of a scoreboard fits the terminal and names every figure."""

import re

import pytest
from rich.console import Console

from trajvq.report.table import print_scoreboard, scoreboard_table


def test_the_table_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    figures = ("skill", "visible", "centroid_error", "centroid_p95", "object_psnr", "psnr", "ssim", "mse")
    rows = {name: dict.fromkeys(figures, 0.123456) for name in ("blank", "mean_frame", "model")}
    board = {"task": "recon", "split": "test", "clips": 3, "truth": "stored", "rows": rows}
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    print_scoreboard(board)
    text = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert max(len(line) for line in text.splitlines()) <= 60
    assert "…" not in text
    assert "centroid error" in text


def test_the_table_names_every_row_and_what_is_missing() -> None:
    rows = {"blank": {"skill": 0.0, "mse": 0.02}, "model": {"skill": 0.9, "mse": 0.002, "visible": 1.0, "bits": 2551.2}}
    board = {"task": "recon", "split": "test", "clips": 3, "truth": "stored", "rows": rows}
    console = Console(width=100, record=True, file=open("/dev/null", "w"))
    console.print(scoreboard_table(board))
    text = console.export_text()
    for word in ("blank", "model", "0.900", "–", "bits 2,551", "3 clips"):
        assert word in text


def test_notes_of_h264_and_remarks_stand_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"h264": {"skill": 0.5, "bits": 2498.0}, "model": {"skill": 0.9, "bits": 2551.2}}
    head = {"task": "recon", "split": "test", "clips": 3, "truth": "stored"}
    print_scoreboard({**head, "rows": rows, "remarks": ["row h264: CRF 40 [see docs]"]})
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "★ best · bits 2,551",
        "h264: bits 2,498",
        "row h264: CRF 40 [see docs]",
    ]


def test_a_figure_a_line_keeps_the_intervals_where_there_is_room() -> None:
    rows = {"blank": {"skill": 0.0}, "model": {"skill": {"value": 0.9, "low": 0.8, "high": 0.95}}}
    board = {"task": "recon", "split": "test", "clips": 3, "truth": "stored", "rows": rows}
    for intervals in (True, False):
        console = Console(width=80, record=True, file=open("/dev/null", "w"))
        console.print(scoreboard_table(board, upright=True, intervals=intervals))
        assert ("0.800" in console.export_text()) == intervals
