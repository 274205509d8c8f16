"""Pictures of forecasts are there, and a GIF has the truth at the left and what was given framed in grey."""

from pathlib import Path

import numpy as np
from PIL import Image

from trajvq.report.forecast import GIVEN, PREDICTED, plot_fans, plot_horizons, save_gif

CHANCE = np.random.default_rng(0)


def test_a_gif_goes_on_where_the_truth_ends(tmp_path: Path) -> None:
    moments = np.arange(5, dtype=np.uint8)[:, None, None, None]  # frames that are alike would become one
    truth = [np.full((3, 3, 8, 8), 50, np.uint8) + moments[:3]] * 4
    made = [np.full((5, 3, 8, 8), 200, np.uint8) + moments] * 4
    save_gif(truth, made, 2, tmp_path / "a/b.gif")
    with Image.open(tmp_path / "a/b.gif") as gif:
        assert gif.n_frames == 5  # type: ignore[attr-defined]
        shown = []
        for moment in (0, 4):
            gif.seek(moment)
            shown.append(np.asarray(gif.convert("RGB")).astype(int))
    for picture, color in zip(shown, (GIVEN, PREDICTED), strict=True):
        assert np.abs(picture[0, 0] - color).max() < 12
    assert abs(shown[0][10, 10] - 50).max() < 12
    assert abs(shown[1][10, 10] - 255).max() < 12
    assert abs(shown[1][10, 2 * 12 + 10] - 200).max() < 12


def test_horizons_and_fans_are_drawn_with_and_without_classes_and_samples(tmp_path: Path) -> None:
    row = {"horizon": [0.1, 0.5]}
    plot_horizons({"quadratic": row, "model": row | {"per_class": {"linear": row}}}, tmp_path / "h.png", "test")
    plot_horizons({"model": row}, tmp_path / "h1.png", "test")
    places = {"truth": CHANCE.random((6, 4, 2)) * 64, "model": CHANCE.random((6, 2, 2)) * 64}
    plot_fans(places, 2, [], tmp_path / "f1.png")
    places |= {"samples": CHANCE.random((6, 3, 2, 2)) * 64, "label": np.array([0, 1] * 3)}
    plot_fans(places, 2, ["linear", "circular"], tmp_path / "f.png")
    for name in ("h.png", "h1.png", "f1.png", "f.png"):
        with Image.open(tmp_path / name) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20
