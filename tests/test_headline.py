"""The tables of the headline figures: mean and deviation over seeds, intervals, the best row without the model."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.scripts import load


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("headline/tables.py", monkeypatch)


def cell(seed: int, ade: float) -> dict[str, Any]:
    rows = {
        "quadratic": {"ade": {"value": 3.0, "low": 2.5, "high": 3.5}},
        "copy_last": {"ade": {"value": 9.0, "low": 8.0, "high": 10.0}},
        "best_family_tracked": {"ade": {"value": 0.5, "low": 0.4, "high": 0.6}},
        "model": {"ade": {"value": ade, "low": ade - 0.1, "high": ade + 0.1}},
    }
    about = {"clips": 400, "commit": "abc", "machine": "a machine", "day": "2026-01-02", "remarks": ["a remark"]}
    return {"task": "forecast", "seed": seed, "rows": rows, **about}


def test_a_line_has_mean_deviation_interval_and_the_best_of_the_rows_without_the_model(tables: ModuleType) -> None:
    line = tables.headline_table([cell(0, 0.8), cell(1, 1.0)])[2]
    assert line == (
        "| forecast | ADE, px | **0.900 ± 0.141** | 0.700 to 1.100 | `quadratic` 3.000 | `best_family_tracked` 0.500 |"
    )


def test_a_figure_that_only_the_model_has_stands_alone(tables: ModuleType) -> None:
    alone = cell(0, 0.8)
    alone["rows"] = {"model": alone["rows"]["model"]}
    assert tables.headline_table([alone])[2] == "| forecast | ADE, px | **0.800** | 0.700 to 0.900 |  |  |"


def test_every_row_and_remark_is_shown(tables: ModuleType) -> None:
    text = "\n".join(tables.figures_table([cell(0, 0.8), cell(1, 1.0)]))
    assert "| ADE, px | 3.000 | 9.000 | 0.500 | 0.900 ± 0.141<br>(0.700 to 1.100) |" in text
    assert text.count("- a remark") == 1
    assert "Measured at abc on a machine (2026-01-02)." in text


def test_a_readme_without_markers_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    replace_between, readme = load("experiment.py", monkeypatch).replace_between, tmp_path / "README.md"
    readme.write_text("before\n<!-- a -->\nold\n<!-- b -->\nafter\n")
    for lines, content in ((["new"], "new\n\n"), ([], ""), (["1", "", "2", ""], "1\n\n2\n\n")):
        replace_between(readme, "<!-- a -->", "<!-- b -->", lines)
        assert readme.read_text() == f"before\n<!-- a -->\n\n{content}<!-- b -->\nafter\n"
    readme.write_text("nothing\n")
    with pytest.raises(ValueError, match="has no <!-- a"):
        replace_between(readme, "<!-- a -->", "<!-- b -->", ["new"])
    assert readme.read_text() == "nothing\n"
