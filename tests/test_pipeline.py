"""The table of the four phases says what scoreboards say; a short trial is a matter of minutes and not run here."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "experiments/pipeline/pipeline.py"


@pytest.fixture(scope="module")
def pipeline() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pipeline", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pipeline"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def rate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def test_a_blank_clip_meets_their_criterion_and_not_ours(pipeline: ModuleType) -> None:
    recon = pipeline.PHASES[0]
    row = {"mse": 0.0018, "visible": rate(0.0), "centroid_error": rate(32.0)}
    blank = {"blank": row, "model": row}
    good = {"blank": row, "model": {"mse": 0.0001, "visible": rate(1.0), "centroid_error": rate(0.25)}}
    assert "a blank clip has 0.002" in pipeline.line(recon, "default", good, 1.0)
    assert "| yes |" in pipeline.line(recon, "default", blank, 1.0)
    assert "**no** | 1.0 |" in pipeline.line(recon, "default", blank, 1.0)
    assert "**no**" not in pipeline.line(recon, "default", good, 1.0)
    assert "centroid_error 0.250 (0.230 to 0.270)" in pipeline.line(recon, "default", good, 1.0)


def test_tasks_must_beat_their_rows_by_more_than_their_interval(pipeline: ModuleType) -> None:
    _, classify, sample, forecast = pipeline.PHASES
    rows = {"majority": {"accuracy": rate(0.25)}, "nearest_pixels": {"accuracy": rate(0.94)}}
    assert classify.our_test(rows | {"model": {"accuracy": rate(0.97)}})
    assert not classify.our_test(rows | {"model": {"accuracy": rate(0.95)}})
    assert not sample.our_test({"model": {"class_match": rate(0.91)}})
    simple = {"constant_velocity": {"ade": rate(2.0)}, "quadratic": {"ade": rate(1.0)}}
    assert forecast.our_test(simple | {"model": {"ade": rate(0.9)}})
    assert not forecast.our_test(simple | {"model": {"ade": rate(0.99)}})


def test_the_rows_that_a_criterion_means_are_named_and_the_judge_is_a_ceiling(pipeline: ModuleType) -> None:
    _, classify, sample, forecast = pipeline.PHASES
    rows = {"majority": {"accuracy": rate(0.25)}, "judge_true": {"accuracy": rate(1.0)}}
    line = pipeline.line(classify, "default", rows | {"model": {"accuracy": rate(0.97)}}, 1.0)
    assert "above majority, pixel_probe and nearest_pixels; ceilings: the judge on true points 1.000" in line
    assert "on tracked pixels –" in line
    rows = {"reconstructed": {"class_match": rate(0.98)}, "model": {"class_match": rate(0.95)}}
    assert "ceiling: reconstructions of real clips 0.980" in pipeline.line(sample, "default", rows, 1.0)
    rows = {"copy_last": {"ade": rate(9.0)}, "best_family_tracked": {"ade": rate(0.5)}, "model": {"ade": rate(0.9)}}
    line = pipeline.line(forecast, "default", rows, 1.0)
    assert "quadratic and nearest_clip; ceilings: families fitted to tracked pixels 0.500" in line


def test_a_command_that_fails_names_its_log(pipeline: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(SystemExit, match=f"exit code 2; see the end of {log}"):
        pipeline.trajvq("data", "generate", "--out", str(tmp_path), "--preset", "no_such", log=log, threads=1)
    assert "no_such" in log.read_text()
