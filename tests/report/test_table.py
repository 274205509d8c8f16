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
