"""The notebooks run on a toy run, in one kernel, and are stored without output."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tests.conftest import Run
from trajvq.cli import main

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_all_of_them_run(fit: Run, here: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fit("--run=a") == 0
    assert main(["test", "--config=recon", f"--data.path={dataset}", "--model.tokenizer.width=16"]) == 0
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]))
    cells = []
    for path in NOTEBOOKS:  # in one kernel, since starting one takes longer; each begins without names
        cells += [new_code_cell("%reset -f"), *(c for c in nbformat.read(path, 4).cells if c.cell_type == "code")]
    together = new_notebook(cells=cells)
    NotebookClient(together, timeout=60, kernel_name="python3").execute()
    said = "".join(out.get("text", "") for cell in together.cells for out in cell.get("outputs", []))
    assert "mean_frame" in said
    assert "of the tokens change when the object is there" in said


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_hold_no_output(path: Path) -> None:
    for cell in nbformat.read(path, 4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
