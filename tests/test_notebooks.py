"""The notebooks run on toy runs and on the weights of the package, in one kernel, and are stored without output."""

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


def output_of_all(monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the notebooks in the current folder and return what they print."""
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
    return "".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)


def check(text: str) -> None:
    assert "mean_frame" in text
    assert "target helical" in text
    assert "of the tokens change when the object is removed" in text


def test_they_open_runs_of_your_own(
    recon_run: Path, sample_run: Path, forecast_run: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in (recon_run, sample_run, forecast_run):
        monkeypatch.setenv(f"TRAJVQ_{run.parent.name.upper()}", str(copy_run(run, here)))
    check(output_of_all(monkeypatch))
    assert not (here / "datasets").exists()


@pytest.mark.usefixtures("here")
def test_they_run_on_the_weights_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    check(output_of_all(monkeypatch))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_hold_no_output(path: Path) -> None:
    for cell in read(path).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
