"""The notebooks run on toy runs, in one kernel, and are stored without output."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.toy_runs import copy_run

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> Any:
    return nbformat.read(path, 4)  # type: ignore[no-untyped-call]


def test_all_of_them_run(
    recon_run: Path, sample_run: Path, forecast_run: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in (recon_run, sample_run, forecast_run):
        copy_run(run, here)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]))
    together = read(NOTEBOOKS[0])
    for path in NOTEBOOKS[1:]:  # in one kernel, because starting one takes longer; each begins without names
        cells = read(path).cells
        first = next(cell for cell in cells if cell.cell_type == "code")
        first.source = "%reset -f\n" + first.source
        together.cells += cells
    NotebookClient(together, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in together.cells for output in cell.get("outputs", [])]
    text = "".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)
    assert "mean_frame" in text
    assert "target helical" in text
    assert "of the tokens change when the object is removed" in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_hold_no_output(path: Path) -> None:
    for cell in read(path).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
