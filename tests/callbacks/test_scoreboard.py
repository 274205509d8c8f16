"""Scoreboards of a test are saved before any of them is printed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trajvq.callbacks import scoreboard


def test_all_scoreboards_are_saved_even_if_one_cannot_be_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(content: object) -> None:
        raise UnicodeEncodeError("latin-1", "é", 0, 1, "the terminal cannot show it")

    monkeypatch.setattr(scoreboard, "HasScoreboards", SimpleNamespace)
    monkeypatch.setattr(scoreboard, "print_scoreboard", fail)
    for name in ("dataset_of", "task_name"):
        monkeypatch.setattr(scoreboard, name, str)
    monkeypatch.setattr(scoreboard, "folder_of_test", lambda trainer: "")
    monkeypatch.setattr(scoreboard, "scoreboard_content", lambda *_: {})
    trainer: Any = SimpleNamespace(is_global_zero=True, default_root_dir=tmp_path)
    task: Any = SimpleNamespace(scoreboards={"test": {}, "ood_size": {}})
    with pytest.raises(UnicodeEncodeError):
        scoreboard.ScoreboardFile("best.ckpt").on_test_end(trainer, task)
    assert {path.name for path in (tmp_path / "scoreboards").iterdir()} == {"test.json", "ood_size.json"}
