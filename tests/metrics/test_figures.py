"""Every figure is declared once: in the registry, with meaning, direction and column."""

from typing import Any

import numpy as np
import pytest
import torch

from trajvq.data.synthetic.scene import make_clips
from trajvq.errors import UserError
from trajvq.io.video import to_float
from trajvq.metrics.classification.accuracy import class_figures
from trajvq.metrics.figures import Figure, find, lookup, register, registered
from trajvq.metrics.forecast.errors import forecast_figures_by_class
from trajvq.metrics.forecast.samples import sample_forecast_figures
from trajvq.metrics.reconstruction.h264 import H264, is_available
from trajvq.metrics.reconstruction.ideal import TokenCounts
from trajvq.metrics.reconstruction.scoreboard import ReconstructionScoreboard
from trajvq.metrics.sampling.appearance import mean_appearance
from trajvq.metrics.sampling.objects import Objects
from trajvq.metrics.sampling.physics import Physics
from trajvq.metrics.sampling.prdc import Features, density_and_coverage
from trajvq.tasks import Classify, Forecast, Reconstruct, Sample, Task

RNG = np.random.default_rng(0)
CLASSES = ("linear", "circular")


def reconstruction_row() -> dict[str, Any]:
    clips = make_clips(0, "test", 0, 2, 4, 32)
    columns = {name: torch.from_numpy(value) for name, value in clips.items() if value.dtype.kind != "S"}
    video = to_float(columns["video"])
    encoder = H264(40.0, 96.0, 1) if is_available() else None
    counts = TokenCounts(torch.zeros(1, 1, 4, 4, dtype=torch.int64), 8)
    board = ReconstructionScoreboard(8, (4, 8, 8), h264=encoder, train_counts=counts)
    indices = torch.arange(32).view(2, 1, 4, 4) % 8
    board.update(columns | {"video": video, "index": torch.arange(2)}, video, indices)
    content = board.compute()
    rows = content["rows"]
    return {**rows["model"], **rows.get("h264", {}), **content["per_clip"]}


def class_row() -> dict[str, Any]:
    label = torch.tensor([0, 1, 1])
    return class_figures(label, label, CLASSES, label >= 0, torch.nn.functional.one_hot(label).float())


def sample_row() -> dict[str, Any]:
    time = np.linspace(0, 1, 16)
    pixel = np.stack([10 + 40 * time, 20 + 20 * time], axis=-1)[None].repeat(6, axis=0) + RNG.normal(0, 0.1, (6, 16, 2))
    valid, color = np.ones((6, 16), dtype=bool), RNG.random((6, 16, 3))
    objects = Objects(pixel, np.ones((6, 16)), color, valid, np.arange(6))
    label = np.zeros(6, dtype=np.int64)
    row = Physics.calibrated(objects, pixel, label, CLASSES, tracked=False).figures(objects, label)
    features = Features(pixel.reshape(6, -1), mean_appearance(objects.radius, color))
    return row | density_and_coverage(features, features)._asdict()


def forecast_row() -> dict[str, Any]:
    truth, valid, label = RNG.random((4, 8, 2)), np.ones((4, 8), dtype=bool), np.array([0, 0, 1, 1])
    row = forecast_figures_by_class(truth, valid, truth, np.arange(4), label, CLASSES, label > 0)
    return row | sample_forecast_figures(truth, valid, RNG.random((4, 5, 8, 2)), np.arange(4))


@pytest.mark.parametrize("row", [reconstruction_row, class_row, sample_row, forecast_row])
def test_every_figure_of_a_scoreboard_is_registered(row: Any) -> None:
    for name in row().keys() - {"index"}:
        assert lookup(name).meaning, name


@pytest.mark.parametrize("task", [Classify, Forecast, Reconstruct, Sample])
def test_the_monitor_of_a_task_has_the_direction_of_its_figure(task: type[Task]) -> None:
    assert task.monitor is not None
    assert lookup(task.monitor.removeprefix("val/")).mode == task.monitor_mode


def test_columns_have_a_direction_and_every_figure_a_meaning() -> None:
    assert all(figure.meaning for figure in registered())
    assert all(figure.better for figure in registered() if figure.display == "column" and figure.name[:5] != "test_")


def test_an_unregistered_figure_is_one_line_that_says_what_to_call() -> None:
    assert find("sharpness") is None
    with pytest.raises(UserError, match=r"figure 'sharpness' is not registered; .*register\(Figure\('sharpness'"):
        lookup("sharpness")


def test_a_number_at_the_end_of_a_name_is_filled_in() -> None:
    figure = lookup("min_ade_20")
    assert (figure.name, figure.heading) == ("min_ade_20", "ADE of the best of 20")
    assert figure.meaning == "mean ADE of the best of 20 samples"


def test_a_name_has_one_entry() -> None:
    figure = Figure("test_one_entry", "a test", "lower", "px")
    assert register(figure) is figure
    assert register(Figure("test_one_entry", "a test", "lower", "px")) == figure
    assert figure.description == "a test, in px; lower is better"
    assert (figure.text(1234.5), figure.best([2.0, 1.0])) == ("1,234.500", 1.0)
    with pytest.raises(UserError, match="already registered"):
        register(Figure("test_one_entry", "another meaning"))
