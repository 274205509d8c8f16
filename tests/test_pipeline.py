"""The table of the four phases says what scoreboards say; a short trial is a matter of minutes and not run here."""

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.scripts import load


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("pipeline/pipeline.py", monkeypatch)


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


def test_a_task_that_fails_is_a_line_of_the_table_and_the_others_run(
    pipeline: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calls = []

    def command(*words: str, log: Path) -> None:
        calls.append(words[0])
        if "sample" in words:
            raise pipeline.CommandError("trajvq: nothing to sample", 2)
        run = next((Path(word.split("=")[1]) / "clips-mine" for word in words if word.startswith("--run_root")), None)
        if run is not None:
            (run / "scoreboards").mkdir(parents=True, exist_ok=True)
            rows = {"model": {"skill": 0.5, "mse": 0.01, "accuracy": 0.9}, "blank": {"mse": 0.02}}
            (run / "scoreboards/test.json").write_text(json.dumps({"rows": rows}))
            (run / "complete.json").touch()

    monkeypatch.setattr(pipeline, "trajvq", command)
    monkeypatch.setattr(pipeline, "read_manifest", lambda folder: SimpleNamespace(classes=[]))
    done = pipeline.run_dataset(
        pipeline.ClipSet("mine", tmp_path / "d", ("generate",)), pipeline.TASKS[:3], tmp_path, 4
    )
    assert calls == ["data", "fit", "fit"]
    assert [task.failed for task in done] == [False, False, True]
    assert "skill 0.500" in done[0].line
    assert "not run: the clips have no classes" in done[1].line
    assert "not run: trajvq: nothing to sample (exit code 2); see" in done[2].line
