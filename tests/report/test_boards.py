"""Scoreboards of several runs become one table for each task, dataset and split."""

from pathlib import Path

from tests.report.run_folder import write_run
from trajvq.report.boards import merge
from trajvq.report.runs import RunRecord, read_run


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
