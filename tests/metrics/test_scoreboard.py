"""The content of scoreboard files: registered figures only, in the order of tables."""

from typing import Any

import pytest

from trajvq.errors import UserError
from trajvq.metrics.figures import Figure, register
from trajvq.metrics.scoreboard import add_ood_ratios, best_of, figures_of, scoreboard_content


def test_a_figure_without_entry_is_an_error_when_the_scoreboard_is_written() -> None:
    board = {"clips": 1, "truth": "stored", "rows": {"model": {"mse": 0.5, "shininess": 1.0}}}
    with pytest.raises(UserError, match=r"figure 'shininess' is not registered; .*register\(") as error:
        scoreboard_content("recon", "test", 1.0, "best.ckpt", board)
    assert "\n" not in str(error.value)


def test_a_scoreboard_describes_the_figures_that_a_user_registered() -> None:
    entry = register(Figure("test_gloss", "light on the object", "higher", digits=1))
    interval = {"value": 0.5, "low": 0.4, "high": 0.6}
    rows = {"model": {"bits": 10.0, "test_gloss": interval, "mse": 0.5, "min_ade_5": 1.0, "skill": 0.9}}
    board = {"clips": 1, "truth": "stored", "rows": rows}
    content = scoreboard_content("recon", "test", 1.0, "best.ckpt", board)
    assert list(content["figures"]) == ["test_gloss"]
    assert content["rows"]["model"]["test_gloss"] == interval
    figures = figures_of(content)
    assert list(figures) == ["skill", "mse", "min_ade_5", "bits", "test_gloss"]
    assert figures["test_gloss"] == entry


def test_ood_ratios_compare_with_the_test_split() -> None:
    test: dict[str, Any] = {"ade": {"value": 2.0, "low": 1.0, "high": 3.0}}
    models = {"test": test, "ood_size": {"ade": 3.0}, "val": {"ade": 1.0}}
    add_ood_ratios(models, "ade")
    assert models["ood_size"]["ood_over_id"] == 1.5
    assert all("ood_over_id" not in models[split] for split in ("test", "val"))


def test_the_best_row_is_no_target_and_has_a_finite_figure() -> None:
    figures = {"target": 0.0, "a": float("nan"), "b": {"value": 0.5}, "model": 0.75}
    rows = {name: {"mse": figure} for name, figure in figures.items()}
    mse = figures_of({"rows": rows})["mse"]
    assert best_of(mse, rows) == 0.5
    assert best_of(mse, {name: rows[name] for name in ("target", "a")}) is None
