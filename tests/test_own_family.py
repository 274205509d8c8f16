"""The motion family of docs/add_a_family.md is generated, judged, forecast and measured against itself."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.equations import evaluate
from tests.metrics.sampling.paths import objects_of
from trajvq.data.storage.shards import Columns
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.motion import FAMILIES, Motion
from trajvq.data.synthetic.presets import PRESETS
from trajvq.data.synthetic.scene import lay_out
from trajvq.metrics.forecast.family import forecast_best_family
from trajvq.metrics.forecast.oracle import forecast_true_family
from trajvq.metrics.judge import Judge, calibrate
from trajvq.metrics.sampling.description import parameter_bits
from trajvq.metrics.sampling.physics import Physics

PAGE = Path(__file__).parents[1] / "docs" / "add_a_family.md"
CODE = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
PRESET = PRESETS["default"]
CLASSES = ("linear", "circular", "helical", "parabolic", "pendulum")
EACH = 60


@pytest.fixture(scope="module")
def pendulum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Motion]:
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "pendulum.py").write_text(CODE[0])
    sys.path.insert(0, str(folder))
    importlib.import_module("pendulum")
    yield FAMILIES[-1]
    FAMILIES.pop()
    sys.path.remove(str(folder))
    del sys.modules["pendulum"]


@pytest.fixture(scope="module")
def val(pendulum: Motion) -> Columns:
    return lay_out(PRESET, 0, "val", 0, 200, 16, 64)


@pytest.fixture(scope="module")
def test(pendulum: Motion) -> Columns:
    return lay_out(PRESET, 0, "test", 0, EACH * len(CLASSES), 16, 64)


@pytest.fixture(scope="module")
def judge(val: Columns) -> Judge:
    path = val["pixel"][:, :, 0].astype(float)
    return calibrate(path, path, val["label"], CLASSES)


def of_class(clips: Columns, name: str) -> np.ndarray:
    return np.asarray(clips["pixel"][:, :, 0][clips["label"] == CLASSES.index(name)], dtype=float)


def test_its_equations_give_its_positions_and_most_clips_are_identifiable(test: Columns) -> None:
    rows = test["label"] == CLASSES.index("pendulum")
    for equation, position in zip(test["equation"][rows, 0], test["position"][rows, :, 0], strict=True):
        np.testing.assert_allclose(evaluate(equation.decode(), np.linspace(0, 1, 16)), position, atol=2e-5)
    for label in range(len(CLASSES)):
        assert test["identifiable"][test["label"] == label].mean() >= 0.8


@pytest.mark.parametrize("name", CLASSES)
def test_the_judge_recognizes_every_class_from_true_points(judge: Judge, test: Columns, name: str) -> None:
    path = of_class(test, name)
    assert len(path) == EACH
    assert np.mean(judge.classify(path) == CLASSES.index(name)) >= 0.98


@pytest.mark.usefixtures("pendulum")
def test_the_example_of_the_page_recognizes_every_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    generate(tmp_path / "datasets" / "five", dict.fromkeys(PRESET.clips, 0) | {"val": 50, "test": 20})
    exec(compile(CODE[1], str(PAGE), "exec"), {})
    assert capsys.readouterr().out.splitlines() == [f"{name}: 100%" for name in CLASSES]


def test_the_physics_residual_of_samples_is_measured_against_their_own_family(val: Columns, test: Columns) -> None:
    path = val["pixel"][:, :, 0].astype(float)
    physics = Physics.calibrated(objects_of(path), path, val["label"], CLASSES, tracked=False)
    target = np.full(EACH, CLASSES.index("pendulum"))
    right = physics.figures(objects_of(of_class(test, "pendulum")), target)
    assert right["class_match"]["value"] >= 0.98
    assert right["class_match_at"]["value"] >= 0.9
    assert 0.5 < right["physics_residual"] < 2
    wrong = physics.figures(objects_of(of_class(test, "linear")), target)
    assert wrong["class_match"]["value"] == 0
    assert wrong["physics_residual"] > 10


def test_both_physics_forecasts_follow_it(test: Columns) -> None:
    path = of_class(test, "pendulum")
    best = forecast_best_family(path[:, :10], 6, 16, 1e-3, CLASSES)
    oracle = forecast_true_family(path[:, :10], ["pendulum"] * EACH, PRESET.regions["test"], 16, 16, 64)
    for forecast in (best, oracle):
        assert np.median(np.linalg.norm(forecast - path[:, 10:], axis=-1)) < 0.1


def test_its_unknowns_count_in_the_description_length(pendulum: Motion) -> None:
    line, swing = (parameter_bits(np.array([label]), CLASSES, 64, (0.25, 0.25, 8)) for label in (0, 4))
    assert pendulum.unknowns == 7
    assert swing - line == pytest.approx((7 - 5) * 8)
