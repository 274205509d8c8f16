"""Pictures and tables show what they are given."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from trajvq.report.strips import save_gif, save_png, sheet
from trajvq.report.table import print_scoreboard, scoreboard_table


def test_a_sheet_shows_target_over_reconstruction_over_error(tmp_path: Path) -> None:
    target = np.zeros((2, 4, 3, 10, 12), dtype=np.uint8)
    target[:, :, 0] = 200
    made = target.copy()
    made[:, 2] = 100
    picture = sheet(target, made, scale=1)
    assert picture.shape == (2 * 36 + 3, 4 * 14, 3)
    assert picture[0, 0].tolist() == [200, 0, 0]
    assert picture[12, 2 * 14].tolist() == [100, 100, 100]
    assert picture[24, 0].tolist() == [255, 255, 255]
    assert picture[24, 2 * 14].tolist() == [55, 55, 55]
    save_png(picture, tmp_path / "a/b.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a/b.png")), picture)


def test_an_animation_keeps_the_colors_of_small_objects(tmp_path: Path) -> None:
    target = np.full((6, 4, 3, 32, 32), 255, dtype=np.uint8)
    colors = np.random.default_rng(0).integers(0, 200, (6, 3))
    for clip, color in enumerate(colors):
        for frame in range(4):
            target[clip, frame, :, 10:12, 10 + frame : 12 + frame] = color[:, None, None]
    save_gif(target, target, tmp_path / "a.gif", scale=1)
    with Image.open(tmp_path / "a.gif") as found:
        assert getattr(found, "n_frames", 1) == 4
        shown = np.asarray(found.convert("RGB")).astype(int)
    for clip, color in enumerate(colors):
        assert np.abs(shown[10, 10 + 34 * clip] - color).max() <= 8


def test_the_table_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    figures = ("skill", "visible", "centroid_error", "centroid_p95", "object_psnr", "psnr", "ssim", "mse")
    rows = {name: dict.fromkeys(figures, 0.123456) for name in ("blank", "mean_frame", "model")}
    board = {"task": "recon", "split": "test", "clips": 3, "truth": "stored", "rows": rows}
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    print_scoreboard(board)
    said = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert max(len(line) for line in said.splitlines()) <= 60
    assert "…" not in said
    assert "centroid error" in said


def test_the_table_names_every_row_and_what_is_missing() -> None:
    rows = {"blank": {"skill": 0.0, "mse": 0.02}, "model": {"skill": 0.9, "mse": 0.002, "visible": 1.0, "bits": 2551.2}}
    board = {"task": "recon", "split": "test", "clips": 3, "truth": "stored", "rows": rows}
    console = Console(width=100, record=True, file=open("/dev/null", "w"))
    console.print(scoreboard_table(board))
    text = console.export_text()
    for word in ("blank", "model", "0.900", "–", "bits 2,551", "3 clips"):
        assert word in text
