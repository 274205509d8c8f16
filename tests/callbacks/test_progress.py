"""The progress bar of a terminal names the epoch, and the last one only where there is one."""

import io
from pathlib import Path

import lightning as L
import pytest
import rich
from lightning.pytorch.demos.boring_classes import BoringModel

from trajvq.callbacks.progress import StepBar


@pytest.mark.parametrize(("end", "description"), [({"max_steps": 2}, "Epoch 0 "), ({"max_epochs": 1}, "Epoch 0/0 ")])
def test_a_run_by_steps_has_no_last_epoch(end: dict[str, int], description: str, tmp_path: Path) -> None:
    terminal = io.StringIO()
    bar = StepBar(console_kwargs={"file": terminal, "force_terminal": True, "width": 120})
    quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, "accelerator": "cpu"}
    try:
        L.Trainer(**end, **quiet, callbacks=[bar], default_root_dir=tmp_path).fit(BoringModel())  # type: ignore[arg-type]
    finally:
        rich.reconfigure()  # the bar has set the console that all of the process shares
    assert description in terminal.getvalue()
    assert "/-" not in terminal.getvalue()
