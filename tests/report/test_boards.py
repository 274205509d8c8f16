"""Scoreboards of several runs become one table for each task, dataset and split, of forecasts also for each horizon."""

import json
from pathlib import Path

from tests.report.run_folder import write_run
from trajvq.report.boards import merge
from trajvq.report.page import render_page
from trajvq.report.runs import RunRecord, read_run
from trajvq.report.table import scoreboard_table


def test_runs_of_different_datasets_have_separate_tables(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / f"recon/{name}", 0.9)) for name in ("a", "b", "c")]
    for run, sha256 in zip(runs, ("1", "2", "1"), strict=True):
        run.commands.append({"dataset": {"path": f"datasets/{sha256}", "sha256": sha256}})
    scored = RunRecord(tmp_path / "t.json", "theirs", "recon", {"test": runs[0].boards["test"]})
    boards = merge([*runs, scored])
    assert [board.dataset for board in boards] == ["datasets/1", "datasets/2"]
    assert [[name for name, is_model, _ in board.rows if is_model] for board in boards] == [
        ["a", "c", "theirs"],
        ["model"],
    ]
    assert [name for board in boards for name, *_ in board.differences] == ["c − a"]
    assert [board.dataset for board in merge([runs[0], runs[2]])] == [""]


def test_forecasts_of_another_context_or_horizon_have_separate_tables(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / f"forecast/{name}", 0.9)) for name in ("a", "b", "c", "older")]
    for run, frames in zip(runs, ((8, 8), (12, 4), (8, 8), None), strict=True):
        run.boards["test"] |= dict(zip(("context", "horizon"), frames, strict=True)) if frames else {}
    boards = merge(runs)
    assert [board.frames for board in boards] == ["context 8, horizon 8 frames", "context 12, horizon 4 frames", ""]
    assert [name for board in boards for name, *_ in board.differences] == ["c − a"]
    assert "truth stored · context 12, horizon 4 frames" in render_page(runs, "forecasts")
    title = scoreboard_table(runs[0].boards["test"]).title
    assert isinstance(title, str)
    assert title.endswith("truth stored · context 8, horizon 8 frames")


def test_scoreboards_of_other_datasets_are_read_and_kept_apart(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "recon/a", 0.9)
    board = json.loads((folder / "scoreboards/test.json").read_text())
    for name, skill in (("mine", 0.5), ("yours", 0.25)):
        board["dataset"] = {"path": f"datasets/{name}", "sha256": name}
        board["rows"]["model"]["skill"] = skill
        path = folder / "scoreboards" / ("." if name == "mine" else name) / "test.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(board))
    run = read_run(folder)
    assert list(run.boards) == ["test", "yours/test"]
    boards = merge([run])
    assert [(board.dataset, board.split, board.rows[-1][2][0].text) for board in boards] == [
        ("datasets/mine", "test", "0.500"),
        ("datasets/yours", "test", "0.250"),
    ]


def test_runs_that_differ_by_their_seed_alone_have_a_mean_and_a_standard_deviation(tmp_path: Path) -> None:
    runs = {}
    for name, skill, seed, rate in (("a", 0.9, 0, 1), ("b", 0.8, 1, 1), ("c", 0.1, 1, 2), ("d", 0.85, 2, 1)):
        folder = write_run(tmp_path / f"recon/{name}", skill)
        config = f"seed_everything: {seed}\ndata: {{init_args: {{seed: {seed}}}}}\nmodel: {{rate: {rate}}}\n"
        (folder / "config.yaml").write_text(config)
        runs[name] = read_run(folder)
    (board,) = merge(list(runs.values()))
    assert [(names, cells[0].text) for names, cells in board.seeds] == [("a, b, d", "0.850 ± 0.050")]
    assert "mean ± SD of a, b, d" in render_page(list(runs.values()), "seeds")
    assert merge([runs["a"], runs["c"]])[0].seeds == []


def test_runs_on_several_tokenizers_have_a_mean_only_with_seeds_of_their_own_and_it_says_so(tmp_path: Path) -> None:
    def over_seeds(runs: dict[str, tuple[int, str]]) -> list[str]:
        records = []
        for name, (seed, tokenizer) in runs.items():
            record = read_run(write_run(tmp_path / f"{len(list(tmp_path.iterdir()))}/{name}"))
            # The config says `latest` in all of them.
            record.config = f"seed_everything: {seed}\nmodel: {{init_args: {{tokenizer_ckpt: latest.ckpt}}}}\n"
            record.commands.append({"tokenizer": {"path": f"{tokenizer}.ckpt", "sha256": tokenizer * 12}})
            records.append(record)
        return [names for names, _ in merge(records)[0].seeds]

    assert over_seeds({"a": (0, "x"), "b": (1, "x"), "c": (2, "y")}) == ["a, b"]
    assert over_seeds({"a": (0, "x"), "b": (0, "y")}) == []
    assert over_seeds({"a": (0, "x"), "b": (1, "y")}) == [
        "a, b, each on a tokenizer of its own: x.ckpt (sha256 xxxxxxxxxxxx), y.ckpt (sha256 yyyyyyyyyyyy)"
    ]


def test_every_figure_of_a_row_is_a_column_or_a_note(tmp_path: Path) -> None:
    (board,) = merge([read_run(write_run(tmp_path / "recon/a"))])
    assert [figure.name for figure in board.columns] == ["skill", "visible", "mse", "sharpness"]
    notes = {figure.heading: text for figure, text in board.notes[0][1]}
    assert notes == {"ADE of the best of 5": "0.250", "bits": "2,551", "of an older version": "7.0000"}
    assert board.notes[1][0] == "h264"
    assert {figure.name: text for figure, text in board.notes[1][1]} == {"bits": "2,498", "bits_beyond_still": "601"}
    assert board.remarks == ["row h264: CRF 40, chosen on 8 clips"]
    assert board.columns[-1].description == "gradients over those of the target"
    assert [cell.text for cell in board.rows[-1][2]] == ["0.900", "1.0000", "0.002100", "0.50"]


def test_a_confusion_matrix_names_its_classes_although_one_has_no_clips(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "classify/a"))
    board, model = run.boards["test"], run.boards["test"]["rows"]["model"]
    model["confusion"] = [[0, 0, 0, 0], [0, 3, 0, 1], [0, 0, 4, 0]]
    model["per_class"] = {"linear": 0.75, "circular": 1.0}
    board["classes"] = ["at rest", "linear", "circular"]
    (confusion,) = merge([run])[0].confusions
    assert confusion.classes == ["at rest", "linear", "circular"]
    assert confusion.answers == ["at rest", "linear", "circular", "none"]
    assert confusion.lines[1] == [(0, 0.0), (3, 0.75), (0, 0.0), (1, 0.25)]
    del board["classes"]  # as an older version wrote it
    run.details["test"].classes = ["at rest", "linear", "circular"]
    assert merge([run])[0].confusions == [confusion]
    run.details.clear()
    assert merge([run])[0].confusions[0].answers == ["0", "1", "2", "none"]
