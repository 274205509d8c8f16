"""The table of the four phases says what scoreboards say; a short trial is a matter of minutes and not run here."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

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


def phase(pipeline: ModuleType, task: str, figure: str) -> Any:
    return next(each for each in pipeline.PHASES if (each.task, each.figure) == (task, figure))


def test_a_blank_clip_meets_their_criterion_and_not_ours(pipeline: ModuleType) -> None:
    recon = phase(pipeline, "recon", "centroid_error")
    row = {"mse": 0.0018, "visible": rate(0.0), "centroid_error": rate(32.0)}
    blank = {"blank": row, "model": row}
    good = {"blank": row, "model": {"mse": 0.0001, "visible": rate(1.0), "centroid_error": rate(0.25)}}
    assert "a blank clip has 0.002" in pipeline.line(recon, "clips", good, 1.0)
    assert "| yes |" in pipeline.line(recon, "clips", blank, 1.0)
    assert "**no** | 1.0 |" in pipeline.line(recon, "clips", blank, 1.0)
    assert "**no**" not in pipeline.line(recon, "clips", good, 1.0)
    assert "centroid_error 0.250 (0.230 to 0.270)" in pipeline.line(recon, "clips", good, 1.0)


def test_tasks_must_beat_their_rows_by_more_than_their_interval(pipeline: ModuleType) -> None:
    classify, forecast = phase(pipeline, "classify", "accuracy"), phase(pipeline, "forecast", "ade")
    rows = {"majority": {"accuracy": rate(0.25)}, "nearest_pixels": {"accuracy": rate(0.94)}}
    assert classify.our_test(rows | {"model": {"accuracy": rate(0.97)}})
    assert not classify.our_test(rows | {"model": {"accuracy": rate(0.95)}})
    simple = {"constant_velocity": {"ade": rate(2.0)}, "quadratic": {"ade": rate(1.0)}}
    assert forecast.our_test(simple | {"model": {"ade": rate(0.9)}})
    assert not forecast.our_test(simple | {"model": {"ade": rate(0.99)}})


def test_the_rows_that_a_criterion_means_are_named_and_the_judge_is_a_ceiling(pipeline: ModuleType) -> None:
    classify, forecast = phase(pipeline, "classify", "accuracy"), phase(pipeline, "forecast", "ade")
    rows = {"majority": {"accuracy": rate(0.25)}, "judge_true": {"accuracy": rate(1.0)}}
    line = pipeline.line(classify, "clips", rows | {"model": {"accuracy": rate(0.97)}}, 1.0)
    assert "above majority, pixel_probe and nearest_pixels; ceilings: the judge on true points 1.000" in line
    assert "on tracked pixels –" in line
    rows = {"copy_last": {"ade": rate(9.0)}, "best_family_tracked": {"ade": rate(0.5)}, "model": {"ade": rate(0.9)}}
    line = pipeline.line(forecast, "clips", rows, 1.0)
    assert "quadratic and nearest_clip; ceilings: families fitted to tracked pixels 0.500" in line


def test_samples_are_measured_by_what_the_clips_allow(pipeline: ModuleType) -> None:
    real = {"class_match": rate(0.98), "class_match_at": rate(0.9), "gan_test": rate(0.99)}
    model = {"class_match": rate(0.02), "class_match_at": rate(0.82), "gan_test": rate(0.95), "coverage_of_real": 0.7}
    judged = pipeline.measured("sample", {"model": model})
    assert judged.our_test({"reconstructed": real, "model": model})
    assert not judged.our_test({"reconstructed": real, "model": model | {"class_match_at": rate(0.8)}})
    assert "by the tokenizer's own error 0.020 of 0.980" in pipeline.line(
        judged, "clips", {"reconstructed": real, "model": model}, 1.0
    )
    classified = pipeline.measured("sample", {"model": {"gan_test": rate(0.95), "coverage_of_real": 0.7}})
    assert classified.our_test({"model": model})
    unlabeled = pipeline.measured("sample", {"model": {"coverage_of_real": 0.7}})
    assert "| – |" in pipeline.line(unlabeled, "clips", {"model": model}, 1.0)
    assert not unlabeled.our_test({"model": model})


def test_clips_are_imported_from_where_the_user_says(pipeline: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "mine.npz").touch()
    (tmp_path / "notes.txt").touch()
    (clips,) = pipeline.chosen_sets([], [tmp_path / "mine.npz"])
    assert clips.command == ("import-videos", str(tmp_path / "mine.npz"))
    assert [each.name for each in pipeline.chosen_sets(["seed200"], [tmp_path / "mine.npz"])] == ["seed200", "mine.npz"]
    for path in (tmp_path / "notes.txt", tmp_path / "no_such"):
        with pytest.raises(SystemExit, match="no clips there; give"):
            pipeline.chosen_sets([], [path])
    with pytest.raises(SystemExit, match=r"two datasets have the name mine\.npz"):
        pipeline.chosen_sets([], [tmp_path / "mine.npz"] * 2)


def test_a_command_that_fails_names_its_log(pipeline: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(SystemExit, match=f"exit code 2; see the end of {log}"):
        pipeline.trajvq("data", "generate", "--out", str(tmp_path), "--preset", "no_such", log=log, threads=1)
    assert "no_such" in log.read_text()
