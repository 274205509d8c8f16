"""The notebooks run on a toy run, in one kernel, and are stored without output."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import Run
from tests.tasks import test_forecast, test_sample
from trajvq.cli import main

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells_of(path: Path) -> Any:
    """Read a notebook."""
    return nbformat.read(path, 4)  # type: ignore[no-untyped-call]


SMALL = {"sample": test_sample.SMALL, "forecast": test_forecast.SMALL}  # tasks that notebooks look at, small


def test_all_of_them_run(fit: Run, here: Path, dataset: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fit("--run=a") == 0
    assert main(["test", "--config=recon", f"--data.path={dataset}", "--model.tokenizer.width=16"]) == 0
    for task, small in SMALL.items():
        words = ["--config", task, f"--data.path={dataset}", f"--model.tokenizer_ckpt={tokenizer}", *small, "--run=a"]
        short = ["--trainer.max_steps=2", "--trainer.val_check_interval=2", "--trainer.logger=false"]
        assert main(["fit", *words, *short]) == 0
        if task == "forecast":  # its notebook looks at a test
            assert main(["test", *words, "--model.total_steps=2"]) == 0
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]))
    together = cells_of(NOTEBOOKS[0])
    for path in NOTEBOOKS[1:]:  # in one kernel, since starting one takes longer; each begins without names
        cells = cells_of(path).cells
        first = next(cell for cell in cells if cell.cell_type == "code")
        first.source = "%reset -f\n" + first.source
        together.cells += cells
    NotebookClient(together, timeout=60, kernel_name="python3").execute()
    outputs = [out for cell in together.cells for out in cell.get("outputs", [])]
    said = "".join(out.get("text", "") + out.get("data", {}).get("text/plain", "") for out in outputs)
    assert "mean_frame" in said
    assert "asked for helical" in said
    assert "of the tokens change when the object is there" in said


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_hold_no_output(path: Path) -> None:
    for cell in cells_of(path).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
