"""Pictures of forecasts: a GIF has the truth on the left and a grey border around the context."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from trajvq.report.forecast import CONTEXT_BORDER, PREDICTED_BORDER, plot_fans, plot_horizons, save_gif

RNG = np.random.default_rng(0)


def test_a_gif_continues_after_the_end_of_the_truth(tmp_path: Path) -> None:
    steps = np.arange(5, dtype=np.uint8)[:, None, None, None]  # a GIF merges equal frames
    truth = [np.full((3, 3, 8, 8), 50, np.uint8) + steps[:3]] * 4
    predicted = [np.full((5, 3, 8, 8), 200, np.uint8) + steps] * 4
    save_gif(truth, predicted, 2, tmp_path / "a/b.gif")
    with Image.open(tmp_path / "a/b.gif") as gif:
        assert gif.n_frames == 5  # type: ignore[attr-defined]
        frames = []
        for frame in (0, 4):
            gif.seek(frame)
            frames.append(np.asarray(gif.convert("RGB")).astype(int))
    for picture, color in zip(frames, (CONTEXT_BORDER, PREDICTED_BORDER), strict=True):
        assert np.abs(picture[0, 0] - color).max() < 12
    assert abs(frames[0][10, 10] - 50).max() < 12
    assert abs(frames[1][10, 10] - 255).max() < 12
    assert abs(frames[1][10, 2 * 12 + 10] - 200).max() < 12


def test_horizons_and_fans_are_plotted_with_and_without_classes_and_samples(tmp_path: Path) -> None:
    row = {"horizon": [0.1, 0.5]}
    plot_horizons({"quadratic": row, "model": row | {"per_class": {"linear": row}}}, tmp_path / "h.png", "test")
    plot_horizons({"model": {"horizon": [0.1, 0.5, None]}}, tmp_path / "h1.png", "test")  # no object in the last frame
    tracks: dict[str, NDArray[Any]] = {"truth": RNG.random((6, 4, 2)) * 64, "model": RNG.random((6, 2, 2)) * 64}
    tracks |= {"clip": np.arange(6), "object": np.zeros(6, np.int64)}
    plot_fans(tracks, 2, [], tmp_path / "f1.png")
    tracks |= {"samples": RNG.random((6, 3, 2, 2)) * 64, "label": np.array([0, 1] * 3)}
    plot_fans(tracks, 2, ["linear", "circular"], tmp_path / "f.png")
    for name in ("h.png", "h1.png", "f1.png", "f.png"):
        with Image.open(tmp_path / name) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20


def test_fans_show_the_whole_picture_and_name_clip_and_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path: figures.append(figure))
    tracks: dict[str, NDArray[Any]] = {"truth": RNG.random((6, 4, 2)) * 64, "model": RNG.random((6, 2, 2)) * 64}
    tracks |= {"clip": np.repeat([3, 4, 8], 2), "object": np.tile([0, 2], 3)}
    plot_fans(tracks, 2, ["linear"], tmp_path / "f.png", size=(64, 128))
    tracks["object"][:] = 0
    plot_fans(tracks, 2, ["linear"], tmp_path / "f.png", size=(64, 128))
    several, single = ([axes.get_title() for axes in figure.axes] for figure in figures)
    assert several == [f"linear, clip {clip}, object {k}" for clip, k in ((3, 0), (3, 2), (4, 0), (4, 2))]
    assert single == [f"linear, clip {clip}" for clip in (3, 3, 4, 4)]
    for axes in figures[0].axes:
        assert (axes.get_xlim(), axes.get_ylim()) == ((0, 128), (64, 0))
